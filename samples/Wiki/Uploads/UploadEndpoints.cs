using Wiki.Web;
using Wiki.Users;

namespace Wiki.Uploads;

internal static class UploadEndpoints
{
    private static readonly Dictionary<string, string> s_shown = new(StringComparer.OrdinalIgnoreCase)
    {
        [".png"] = "image/png",
        [".jpg"] = "image/jpeg",
        [".jpeg"] = "image/jpeg",
        [".gif"] = "image/gif",
        [".webp"] = "image/webp",
        [".pdf"] = "application/pdf",
        [".txt"] = "text/plain; charset=utf-8",
    };

    public static void MapUploads(this WebApplication app)
    {
        app.MapGet("/uploads", (HttpContext context, UploadStore uploads, SessionStore sessions) => List(uploads.All(), sessions.CurrentUser(context)));
        app.MapGet("/uploads/{name}", (string name, UploadStore uploads) => uploads.Find(name) is { } file
            ? Send(file)
            : Results.Text("There is no such file.\n", statusCode: StatusCodes.Status404NotFound));
        app.MapPost("/uploads", UploadAsync);
    }

    private static async Task<IResult> UploadAsync(HttpContext context, UploadStore uploads)
    {
        if (!context.Request.HasFormContentType || (await context.Request.ReadFormAsync()).Files.GetFile("file") is not { } file)
        {
            return Results.Text("Choose a file.\n", statusCode: StatusCodes.Status400BadRequest);
        }

        if (file.Length > UploadStore.MaxBytes)
        {
            return Results.Text($"A file may have {UploadStore.MaxBytes >> 20} MiB.\n", statusCode: StatusCodes.Status413PayloadTooLarge);
        }

        var name = UploadStore.Clean(file.FileName);
        if (!UploadStore.IsName(name))
        {
            return Results.Text("This file has no name.\n", statusCode: StatusCodes.Status400BadRequest);
        }

        await uploads.SaveAsync(name, file);
        return Results.Redirect("/uploads");
    }

    /// <summary>What a browser shows harmlessly is shown; all else is a download.</summary>
    private static IResult Send(FileInfo file)
    {
        var type = s_shown.GetValueOrDefault(file.Extension);
        return Results.File(file.FullName, type ?? "application/octet-stream", type is null ? file.Name : null, file.LastWriteTimeUtc, enableRangeProcessing: true);
    }

    private static IResult List(IEnumerable<FileInfo> files, string? user)
    {
        var rows = files.Select(file => Html.Of(
            $"""<tr><td><a href="/uploads/{file.Name}">{file.Name}</a></td><td class="number soft">{file.Length} bytes</td></tr>"""));
        return Layout.Page("Uploads", user, Html.Of(
            $"""
            <h1>Uploads</h1>
            <table><tr><th>File</th><th></th></tr>{rows}</table>
            <form class="inline" method="post" enctype="multipart/form-data"><input type="file" name="file" required><button>Upload</button></form>
            """));
    }
}
