using System.Globalization;
using Wiki.Web;
using Wiki.Users;

namespace Wiki.Pages;

internal static class PageEndpoints
{
    private const int ListLength = 200;

    public static void MapPages(this WebApplication app)
    {
        app.MapGet("/", (HttpContext context, PageStore pages, SessionStore sessions) =>
            PageViews.Index(pages.Names().Select(name => (name, pages.LastChange(name))), sessions.CurrentUser(context)));

        app.MapGet("/recent", (HttpContext context, EditLog edits, SessionStore sessions) =>
            PageViews.Recent(edits.Recent(ListLength), sessions.CurrentUser(context)));

        // The form on the front page: to a page by its name.
        app.MapGet("/go", (string? name) => PageName.TryParse(name?.Trim().Replace(' ', '_'), out var page)
            ? Results.Redirect($"/pages/{page}")
            : Results.Text("A page's name has letters, digits, _ and - only.\n", statusCode: StatusCodes.Status400BadRequest));

        app.MapGet("/pages/{name}", ShowAsync);
        app.MapPost("/pages/{name}", SaveAsync);

        app.MapGet("/pages/{name}/edit", async (PageName name, HttpContext context, PageStore pages, SessionStore sessions) =>
            PageViews.EditForm(name, await pages.ReadAsync(name) ?? new("", 0), sessions.CurrentUser(context)));

        app.MapGet("/pages/{name}/history", (PageName name, HttpContext context, PageStore pages, EditLog edits, SessionStore sessions) =>
            PageViews.History(name, edits.Of(name, ListLength), sessions.CurrentUser(context)));

        app.MapGet("/pages/{name}/history/{revision:int}", (PageName name, int revision, HttpContext context, PageStore pages, SessionStore sessions) =>
            pages.ReadRevision(name, revision) is { } text
                ? PageViews.Revision(name, new(text, revision), pages.Exists, sessions.CurrentUser(context))
                : PageViews.Missing(name, sessions.CurrentUser(context)));
    }

    private static async Task<IResult> ShowAsync(PageName name, HttpContext context, PageStore pages, ViewCounter views, SessionStore sessions)
    {
        var user = sessions.CurrentUser(context);
        if (await pages.ReadAsync(name) is not { } page)
        {
            return PageViews.Missing(name, user);
        }

        views.Count(name);
        return PageViews.Show(name, page, views.Of(name), pages.Exists, user);
    }

    private static async Task<IResult> SaveAsync(PageName name, HttpContext context, PageStore pages, SessionStore sessions)
    {
        var form = await context.Request.ReadFormAsync();
        var text = form["text"].ToString().ReplaceLineEndings("\n");
        int? basedOn = int.TryParse(form["revision"], NumberStyles.None, CultureInfo.InvariantCulture, out var revision) ? revision : null;
        var user = sessions.CurrentUser(context);
        try
        {
            await pages.SaveAsync(name, text, basedOn, user);
            return Results.Redirect($"/pages/{name}");
        }
        catch (EditConflictException conflict)
        {
            return PageViews.Conflict(name, conflict.Latest, text, user);
        }
    }
}
