using System.Text;

namespace Wiki.Web;

/// <summary>The frame around every page.</summary>
internal static class Layout
{
    public static IResult Page(string title, string? user, Html body, int status = StatusCodes.Status200OK) =>
        Results.Content(Frame(title, user, body).ToString(), "text/html; charset=utf-8", Encoding.UTF8, status);

    private static Html Frame(string title, string? user, Html body) => Html.Of(
        $"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>{title} · Wiki</title>
        <link rel="stylesheet" href="/style.css">
        </head>
        <body>
        <header>
        <a class="brand" href="/">Wiki</a>
        <nav><a href="/">Pages</a><a href="/recent">Recent edits</a><a href="/uploads">Uploads</a></nav>
        {(user is null ? SignIn : SignOut(user))}
        </header>
        <main>
        {body}
        </main>
        </body>
        </html>

        """);

    private static Html SignIn => Html.Of($"""<div class="who"><a href="/login">Sign in</a></div>""");

    private static Html SignOut(string user) => Html.Of(
        $"""<form class="who" method="post" action="/logout"><span>{user}</span><button class="quiet">Sign out</button></form>""");
}
