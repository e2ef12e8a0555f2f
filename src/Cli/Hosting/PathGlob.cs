using Mirror.Store.Manifests;

namespace Mirror.Cli.Hosting;

/// <summary>
/// A glob over whole paths, for choosing among the paths of a version: <c>*</c> and <c>?</c> stay within a component, <c>**</c> spans any number of them. Unlike an exclude pattern
/// it is tied to the root and chooses each path for itself. Compared byte by byte, so any file name works.
/// </summary>
internal sealed class PathGlob(ReadOnlySpan<byte> glob)
{
    private readonly byte[][] components = ComponentsOf(glob);

    // As within a name: on a mismatch, the last "**" takes one component more; an earlier one need not be tried again. So no path, however deep somebody makes it, takes long.
    public bool Matches(EntryPath candidate)
    {
        var path = Split(candidate.Bytes);
        int p = 0, n = 0, deep = -1, mark = 0;
        while (n < path.Length)
        {
            if (p < components.Length && IsAnyDepth(components[p]))
            {
                deep = p++;
                mark = n;
            }
            else if (p < components.Length && MatchesName(components[p], path[n]))
            {
                p++;
                n++;
            }
            else if (deep >= 0)
            {
                p = deep + 1;
                n = ++mark;
            }
            else
            {
                return false;
            }
        }

        while (p < components.Length && IsAnyDepth(components[p]))
        {
            p++;
        }

        return p == components.Length;
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

    // "cache/**" is what lies in cache, not cache itself: at the end, "**" has at least one component.
    private static byte[][] ComponentsOf(ReadOnlySpan<byte> glob)
    {
        var components = Split(glob.Trim((byte)'/'));
        return IsAnyDepth(components[^1]) ? [.. components, "*"u8.ToArray()] : components;
    }

    private static bool IsAnyDepth(ReadOnlySpan<byte> component) => component.SequenceEqual("**"u8);

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
