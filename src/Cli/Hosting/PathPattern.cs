using System.Text;
using Mirror.Store.Manifests;

namespace Mirror.Cli.Hosting;

/// <summary>
/// Paths as people give them: a path means itself and all below it; with <c>*</c>, <c>?</c> or <c>**</c> it is a glob from the root on. Bytes that are not UTF-8 are
/// written as <c>\xNN</c>, the way they are shown.
/// </summary>
internal sealed class PathPattern
{
    private readonly EntryPath path;
    private readonly PathGlob? glob;

    private PathPattern(EntryPath path, PathGlob? glob)
    {
        this.path = path;
        this.glob = glob;
    }

    /// <exception cref="InvalidDataException">It is no path.</exception>
    public static PathPattern Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.ContainsAny("*?"u8))
        {
            return new PathPattern(default, new PathGlob(bytes));
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

    public bool Matches(EntryPath candidate) => glob?.Matches(candidate) ?? candidate.IsWithin(path);
}
