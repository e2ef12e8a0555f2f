using System.Text;
using System.Text.Json.Serialization;
using Wiki.Users;

namespace Wiki.Pages;

internal sealed record PageAnswer(string Name, int Revision, string Text);

internal sealed record AppendAnswer(string Name, int Revision);

internal sealed record Fault(string Error);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PageAnswer))]
[JsonSerializable(typeof(AppendAnswer))]
[JsonSerializable(typeof(Fault))]
internal sealed partial class WikiJson : JsonSerializerContext;

/// <summary>For programs: <c>GET /api/pages/NAME</c> and <c>POST /api/pages/NAME/append</c> with the line as the body.</summary>
internal static class PageApi
{
    private const int MaxLineBytes = 64 << 10;

    public static void MapPageApi(this WebApplication app)
    {
        app.MapGet("/api/pages/{name}", async (PageName name, PageStore pages) => await pages.ReadAsync(name) is { } page
            ? Results.Json(new PageAnswer(name.Text, page.Revision, page.Text), WikiJson.Default.PageAnswer)
            : Results.Json(new Fault($"there is no page '{name}'"), WikiJson.Default.Fault, statusCode: StatusCodes.Status404NotFound));

        app.MapPost("/api/pages/{name}/append", AppendAsync);
    }

    private static async Task<IResult> AppendAsync(PageName name, HttpContext context, PageStore pages, SessionStore sessions)
    {
        var body = new byte[MaxLineBytes + 1];
        var length = await context.Request.Body.ReadAtLeastAsync(body, body.Length, throwOnEndOfStream: false);
        if (length > MaxLineBytes)
        {
            return Results.Json(new Fault($"a line may have {MaxLineBytes} bytes"), WikiJson.Default.Fault, statusCode: StatusCodes.Status413PayloadTooLarge);
        }

        var line = Encoding.UTF8.GetString(body, 0, length).TrimEnd('\r', '\n');
        if (line.AsSpan().IndexOfAny('\r', '\n') >= 0)
        {
            return Results.Json(new Fault("one line at a time"), WikiJson.Default.Fault, statusCode: StatusCodes.Status400BadRequest);
        }

        var revision = await pages.AppendAsync(name, line, sessions.CurrentUser(context));
        return Results.Json(new AppendAnswer(name.Text, revision), WikiJson.Default.AppendAnswer);
    }
}
