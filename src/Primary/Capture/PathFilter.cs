using System.Text;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Store.Manifests;

namespace Mirror.Primary.Capture;

/// <summary>
/// What of a tree is not captured: live database files and the site's exclude patterns. A pattern is relative to the root; <c>*</c> and <c>?</c> stay within
/// a component, <c>**</c> spans any number of them; a matched directory is left out with all below it. Patterns are matched byte by byte, so any file name works.
/// </summary>
public sealed class PathFilter
{
    private readonly HashSet<EntryPath> privatePaths;
    private readonly byte[][][] patterns;

    public PathFilter(IEnumerable<string> privatePaths, IEnumerable<string> patterns)
    {
        this.privatePaths = [.. privatePaths.Select(EntryPath.Parse)];
        this.patterns = [.. patterns.Select(pattern => pattern.Trim('/').Split('/').Select(Encoding.UTF8.GetBytes).ToArray())];
    }

    public static PathFilter Nothing { get; } = new([], []);

    public static PathFilter For(SiteConfig site) => new(SlotDatabases.PrivatePaths(site), site.Files.Exclude);

    public bool IsPrivate(EntryPath path) => privatePaths.Contains(path);

    public bool Excludes(EntryPath path, EntryType type)
    {
        if (privatePaths.Contains(path))
        {
            return true;
        }

        if (patterns.Length == 0 || path.IsRoot)
        {
            return false;
        }

        var components = Split(path.Bytes);
        foreach (var pattern in patterns)
        {
            if (Matches(pattern, 0, components, 0))
            {
                return true;
            }
        }

        return false;
    }

    private static byte[][] Split(ReadOnlySpan<byte> path)
    {
        var parts = new List<byte[]>();
        foreach (var range in path.Split((byte)'/'))
        {
            parts.Add(path[range].ToArray());
        }

        return [.. parts];
    }

    private static bool Matches(byte[][] pattern, int at, byte[][] path, int component)
    {
        if (at == pattern.Length)
        {
            return component == path.Length;
        }

        if (pattern[at].AsSpan().SequenceEqual("**"u8))
        {
            // "cache/**" leaves out what is in cache, not cache itself.
            for (var skip = at == pattern.Length - 1 ? 1 : 0; component + skip <= path.Length; skip++)
            {
                if (Matches(pattern, at + 1, path, component + skip))
                {
                    return true;
                }
            }

            return false;
        }

        return component < path.Length && MatchesName(pattern[at], path[component]) && Matches(pattern, at + 1, path, component + 1);
    }

    // The usual two-pointer wildcard match: on a mismatch, the last star takes one byte more.
    private static bool MatchesName(ReadOnlySpan<byte> pattern, ReadOnlySpan<byte> name)
    {
        int p = 0, n = 0, star = -1, mark = 0;
        while (n < name.Length)
        {
            if (p < pattern.Length && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*')
            {
                p++;
                n++;
            }
            else if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                mark = n;
            }
            else if (star >= 0)
            {
                p = star + 1;
                n = ++mark;
            }
            else
            {
                return false;
            }
        }

        while (p < pattern.Length && pattern[p] == '*')
        {
            p++;
        }

        return p == pattern.Length;
    }
}
