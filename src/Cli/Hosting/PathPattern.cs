using System.Text;
using Mirror.Primary.Capture;
using Mirror.Store.Manifests;

namespace Mirror.Cli.Hosting;

/// <summary>
/// Paths as people give them: a path means itself and all below it; with <c>*</c>, <c>?</c> or <c>**</c> it is a pattern, as in a site's excludes. Bytes that are not UTF-8 are
/// written as <c>\xNN</c>, the way they are shown.
/// </summary>
internal sealed class PathPattern
{
    private readonly EntryPath path;
    private readonly PathFilter? pattern;

    private PathPattern(EntryPath path, PathFilter? pattern)
    {
        this.path = path;
        this.pattern = pattern;
    }

    /// <exception cref="InvalidDataException">It is no path.</exception>
    public static PathPattern Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.ContainsAny("*?"u8))
        {
            return new PathPattern(default, new PathFilter([], [Encoding.UTF8.GetString(bytes)]));
        }

        return new PathPattern(EntryPath.Parse(bytes), null);
    }

    /// <summary>What was typed, as the path's bytes.</summary>
    public static byte[] Bytes(string text)
    {
        text = text.StartsWith("./", StringComparison.Ordinal) ? text[2..] : text;
        text = text is "." or "/" ? "" : text.TrimEnd('/');
        var bytes = new List<byte>(text.Length);
        for (var at = 0; at < text.Length; at++)
        {
            if (text[at] == '\\' && at + 3 < text.Length && text[at + 1] == 'x' && char.IsAsciiHexDigit(text[at + 2]) && char.IsAsciiHexDigit(text[at + 3]))
            {
                bytes.Add(Convert.FromHexString(text.AsSpan(at + 2, 2))[0]);
                at += 3;
            }
            else
            {
                var length = char.IsHighSurrogate(text[at]) && at + 1 < text.Length ? 2 : 1;
                bytes.AddRange(Encoding.UTF8.GetBytes(text.Substring(at, length)));
                at += length - 1;
            }
        }

        return [.. bytes];
    }

    public bool Matches(EntryPath candidate) => pattern?.Excludes(candidate, EntryType.File) ?? candidate.IsWithin(path);
}
