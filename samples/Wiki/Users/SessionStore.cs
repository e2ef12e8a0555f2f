using System.Security.Cryptography;
using System.Text;
using Wiki.Storage;

namespace Wiki.Users;

/// <summary>Who is signed in. The cookie holds a random token, the database its hash: a copy of the database lets nobody in.</summary>
public sealed class SessionStore(Database database, TimeProvider time)
{
    private const string Cookie = "wiki_session";
    private static readonly TimeSpan s_lifetime = TimeSpan.FromDays(30);

    /// <returns>The user's name; null when nobody is signed in.</returns>
    public string? CurrentUser(HttpContext context)
    {
        if (context.Request.Cookies[Cookie] is not { Length: > 0 } token)
        {
            return null;
        }

        using var connection = database.Open();
        return connection.Scalar<string>(
            "SELECT user FROM sessions WHERE token = $token AND expires > $now", ("$token", HashOf(token)), ("$now", time.GetUtcNow().ToUnixTimeSeconds()));
    }

    public void Begin(HttpContext context, string user)
    {
        var token = Convert.ToHexString(RandomNumberGenerator.GetBytes(32));
        var now = time.GetUtcNow();
        using var connection = database.Open();
        connection.Execute("DELETE FROM sessions WHERE expires <= $now", ("$now", now.ToUnixTimeSeconds()));
        connection.Execute(
            "INSERT INTO sessions (token, user, expires) VALUES ($token, $user, $expires)",
            ("$token", HashOf(token)), ("$user", user), ("$expires", (now + s_lifetime).ToUnixTimeSeconds()));
        context.Response.Cookies.Append(Cookie, token, new() { HttpOnly = true, SameSite = SameSiteMode.Lax, Secure = context.Request.IsHttps, MaxAge = s_lifetime });
    }

    public void End(HttpContext context)
    {
        if (context.Request.Cookies[Cookie] is { Length: > 0 } token)
        {
            using var connection = database.Open();
            connection.Execute("DELETE FROM sessions WHERE token = $token", ("$token", HashOf(token)));
            context.Response.Cookies.Delete(Cookie);
        }
    }

    private static string HashOf(string token) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
