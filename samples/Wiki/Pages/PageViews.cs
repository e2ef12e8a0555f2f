using System.Globalization;
using Wiki.Web;

namespace Wiki.Pages;

internal static class PageViews
{
    public static IResult Index(IEnumerable<(PageName Name, DateTime Changed)> pages, string? user)
    {
        var rows = pages.Select(page => Html.Of(
            $"""<tr><td><a href="/pages/{page.Name.Text}">{page.Name.Text}</a></td><td class="soft">{When(page.Changed)}</td></tr>""")).ToList();
        return Layout.Page("Pages", user, Html.Of(
            $"""
            <h1>Pages</h1>
            {(rows.Count > 0 ? Html.Of($"<table><tr><th>Page</th><th>Last change</th></tr>{rows}</table>") : Html.Of($"<p>There are no pages yet. Begin with <a class=\"missing\" href=\"/pages/Home/edit\">Home</a>.</p>"))}
            <form class="inline" action="/go"><input name="name" placeholder="Name of a page, new or not" required pattern="[A-Za-z0-9_ \-]+" maxlength="80"><button>Go</button></form>
            """));
    }

    public static IResult Show(PageName name, PageText page, long views, Func<PageName, bool> exists, string? user) =>
        Layout.Page(name.Text, user, Html.Of(
            $"""
            <div class="bar"><h1>{name.Text}</h1><a href="/pages/{name.Text}/edit">Edit</a><a href="/pages/{name.Text}/history">History</a></div>
            {Markup.Render(page.Text, exists)}
            <p class="soft">Revision {page.Revision} · {views} views</p>
            """));

    public static IResult Missing(PageName name, string? user) =>
        Layout.Page(name.Text, user, Html.Of(
            $"""
            <h1>{name.Text}</h1>
            <p>There is no such page. <a href="/pages/{name.Text}/edit">Write it.</a></p>
            """), StatusCodes.Status404NotFound);

    public static IResult EditForm(PageName name, PageText page, string? user) =>
        Layout.Page($"Edit {name}", user, Html.Of($"<h1>Edit {name.Text}</h1>{Form(name, page.Text, page.Revision)}"));

    public static IResult Conflict(PageName name, PageText latest, string text, string? user) =>
        Layout.Page($"Edit {name}", user, Html.Of(
            $"""
            <h1>Edit {name.Text}</h1>
            <p class="note">Somebody saved this page while you wrote. Below are your text and theirs; bring them together and save again.</p>
            {Form(name, text, latest.Revision)}
            <h2>The page now (revision {latest.Revision})</h2>
            <pre>{latest.Text}</pre>
            """), StatusCodes.Status409Conflict);

    public static IResult Revision(PageName name, PageText page, Func<PageName, bool> exists, string? user) =>
        Layout.Page($"{name}, revision {page.Revision}", user, Html.Of(
            $"""
            <div class="bar"><h1>{name.Text}</h1><a href="/pages/{name.Text}/history">History</a></div>
            <p class="note">This is revision {page.Revision}. <a href="/pages/{name.Text}">The page now</a></p>
            {Markup.Render(page.Text, exists)}
            """));

    public static IResult History(PageName name, IReadOnlyList<Edit> edits, string? user) =>
        Layout.Page($"History of {name}", user, Html.Of(
            $"""
            <div class="bar"><h1>History of {name.Text}</h1><a href="/pages/{name.Text}">Page</a></div>
            {Table(edits)}
            """));

    public static IResult Recent(IReadOnlyList<Edit> edits, string? user) =>
        Layout.Page("Recent edits", user, Html.Of($"<h1>Recent edits</h1>{Table(edits)}"));

    private static Html Form(PageName name, string text, int revision) => Html.Of(
        $"""
        <form class="stack wide" method="post" action="/pages/{name.Text}">
        <input type="hidden" name="revision" value="{revision}">
        <textarea name="text" aria-label="Text" autofocus>
        {text}</textarea>
        <button>Save</button>
        <p class="soft"># Heading · - list · **bold** · _emphasis_ · `code` · [[Page]] · [text](https://…)</p>
        </form>
        """);

    private static Html Table(IReadOnlyList<Edit> edits)
    {
        var rows = edits.Select(edit => Html.Of(
            $"""
            <tr><td><a href="/pages/{edit.Page}">{edit.Page}</a></td><td><a href="/pages/{edit.Page}/history/{edit.Revision}">revision {edit.Revision}</a></td>
            <td>{edit.Author ?? "somebody"}</td><td class="soft">{When(edit.At.UtcDateTime)}</td><td class="number soft">{edit.Bytes} bytes</td></tr>
            """));
        return edits.Count == 0
            ? Html.Of($"<p>Nothing yet.</p>")
            : Html.Of($"<table><tr><th>Page</th><th>Revision</th><th>By</th><th>When (UTC)</th><th></th></tr>{rows}</table>");
    }

    private static string When(DateTime utc) => utc.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
}
