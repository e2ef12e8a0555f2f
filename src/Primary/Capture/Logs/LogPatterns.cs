using System.Text;
using System.Text.RegularExpressions;
using Mirror.Node.Configuration;
using Mirror.Store.Logs;
using Mirror.Store.Manifests;

namespace Mirror.Primary.Capture.Logs;

/// <summary>
/// Which files are append-only logs: those a site's <c>logs</c> patterns match, but for compressed ones, which nobody appends to. A log is no
/// entry of a version itself; its bytes are, as segments.
/// </summary>
public sealed partial class LogPatterns
{
    private static readonly string[] compressed = [".gz", ".xz", ".bz2", ".zst", ".lz4", ".zip"];

    private readonly PathFilter filter;

    public LogPatterns(IReadOnlyList<string> patterns) => filter = new PathFilter([], patterns);

    /// <summary>Null when the site has none.</summary>
    public static LogPatterns? For(SiteConfig site) => site.Files.Logs is { Patterns.Count: > 0 } logs ? new LogPatterns(logs.Patterns) : null;

    /// <param name="path">Of a regular file.</param>
    public bool Matches(EntryPath path)
    {
        if (CaptureSource.IsReserved(path) || !filter.Excludes(path, EntryType.File))
        {
            return false;
        }

        var name = Encoding.UTF8.GetString(path.Name);
        return LogSegment.CanHold(path) && !compressed.Any(end => name.EndsWith(end, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>
    /// The log that a rotated file was, by its name: <c>app.log</c> for <c>app.log.1</c>, <c>app.log-20260214</c> and <c>app.log.old</c>, when there is a log of that name; else the path itself.
    /// </summary>
    /// <param name="isLog">Says whether a log is, or was, at a path.</param>
    public static EntryPath OriginOf(EntryPath path, Func<EntryPath, bool> isLog)
    {
        var name = Encoding.UTF8.GetString(path.Name);
        if (Rotated().Match(name) is { Success: true } match && path.Parent.Append(Encoding.UTF8.GetBytes(match.Groups[1].Value)) is var origin && isLog(origin))
        {
            return origin;
        }

        return path;
    }

    [GeneratedRegex("^(.+?)(?:[.-][0-9][0-9._T:-]*|\\.old)\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Rotated();
}
