using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Mirror.Proxy.Forwarding;

/// <summary>
/// Who wrote reads what he wrote: a cookie says until when, and a mirror answers such a reader from a replica only when its version's capture began later; until then from the primary.
/// Times are compared by the clocks of proxy and primary, so a part of a second more is asked for. A browser carries the cookie from the site to its mirror when the mirror's name ends in the site's; and a
/// write that came to the mirror leaves one there when it is sent on.
/// </summary>
internal sealed class WrittenCookie(TimeProvider time)
{
    public const string Name = "mirror-written";

    private static readonly TimeSpan Clocks = TimeSpan.FromMilliseconds(500);

    // From being told to go elsewhere until the answer there: nobody here sees that.
    private static readonly TimeSpan Elsewhere = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Remembered = TimeSpan.FromMinutes(5);

    /// <summary>The header of an answer to a write.</summary>
    public string After(string domain) => Text(time.GetUtcNow(), $"; Domain={domain}");

    public string BeforeRedirect() => Text(time.GetUtcNow() + Elsewhere, "");

    /// <summary>Versions captured later have all that this reader wrote; null when he wrote nothing lately.</summary>
    public DateTimeOffset? Of(HttpRequest request)
    {
        if (!request.Cookies.TryGetValue(Name, out var text) || !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds))
        {
            return null;
        }

        // What lies further ahead than any of these ever does was made up, and would only keep its bearer at the primary.
        var now = time.GetUtcNow();
        var most = (now + Elsewhere + Clocks).ToUnixTimeMilliseconds();
        return milliseconds <= most && milliseconds >= (now - Remembered).ToUnixTimeMilliseconds() ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds) : null;
    }

    private static string Text(DateTimeOffset written, string domain) => string.Create(
        CultureInfo.InvariantCulture, $"{Name}={(written + Clocks).ToUnixTimeMilliseconds()}; Max-Age={Remembered.TotalSeconds:F0}; Path=/; HttpOnly; SameSite=Lax{domain}");
}
