using Wiki.Web;
using Wiki.Pages;

namespace Wiki.Users;

internal static class UserEndpoints
{
    private const int ShortestPassword = 8;
    private const int LongestPassword = 200;

    public static void MapUsers(this WebApplication app)
    {
        app.MapGet("/login", () => LoginForm(null));
        app.MapPost("/login", async (HttpContext context, UserStore users, SessionStore sessions) =>
        {
            var (name, password) = await ReadAsync(context);
            if (password.Length > LongestPassword || !users.IsRight(name, password))
            {
                return LoginForm("Name or password is wrong.");
            }

            sessions.Begin(context, name);
            return Results.Redirect("/");
        });

        app.MapGet("/register", () => RegisterForm(null));
        app.MapPost("/register", async (HttpContext context, UserStore users, SessionStore sessions) =>
        {
            var (name, password) = await ReadAsync(context);
            var fault = !PageName.TryParse(name, out _) ? "A name has letters, digits, _ and - only."
                : password.Length is < ShortestPassword or > LongestPassword ? $"A password has {ShortestPassword} to {LongestPassword} characters."
                : !users.Add(name, password) ? "This name is taken."
                : null;
            if (fault is not null)
            {
                return RegisterForm(fault);
            }

            sessions.Begin(context, name);
            return Results.Redirect("/");
        });

        app.MapPost("/logout", (HttpContext context, SessionStore sessions) =>
        {
            sessions.End(context);
            return Results.Redirect("/");
        });
    }

    private static async Task<(string Name, string Password)> ReadAsync(HttpContext context)
    {
        var form = await context.Request.ReadFormAsync();
        return (form["name"].ToString().Trim(), form["password"].ToString());
    }

    private static IResult LoginForm(string? fault) =>
        Form("Sign in", "/login", "current-password", fault, Html.Of($"""<p class="soft">New here? <a href="/register">Register</a></p>"""));

    private static IResult RegisterForm(string? fault) => Form("Register", "/register", "new-password", fault, Html.Empty);

    private static IResult Form(string title, string action, string autocomplete, string? fault, Html below) =>
        Layout.Page(title, null, Html.Of(
            $"""
            <h1>{title}</h1>
            {(fault is null ? Html.Empty : Html.Of($"<p class=\"note\">{fault}</p>"))}
            <form class="stack" method="post" action="{action}">
            <label>Name <input name="name" autocomplete="username" required maxlength="80"></label>
            <label>Password <input name="password" type="password" autocomplete="{autocomplete}" required maxlength="200"></label>
            <button>{title}</button>
            </form>
            {below}
            """), fault is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest);
}
