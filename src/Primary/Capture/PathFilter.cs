using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
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
    private readonly string[][] given;

    public PathFilter(IEnumerable<string> privatePaths, IEnumerable<string> patterns)
    {
        given = [[.. privatePaths], [.. patterns]];
        this.privatePaths = [.. given[0].Select(EntryPath.Parse)];
        this.patterns = [.. given[1].Select(ComponentsOf)];
    }

    public static PathFilter Nothing { get; } = new([], []);

    public static PathFilter For(SiteConfig site) => new(SlotDatabases.PrivatePaths(site), site.Files.Exclude);

    /// <summary>Equal filters have equal texts.</summary>
    public override string ToString() => JsonSerializer.Serialize(given, FilterJson.Default.StringArrayArray);

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
            if (Matches(pattern, components))
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

    // "cache/**" leaves out what is in cache, not cache itself: at the end, "**" has at least one component.
    private static byte[][] ComponentsOf(string pattern)
    {
        byte[][] components = [.. pattern.Trim('/').Split('/').Select(Encoding.UTF8.GetBytes)];
        return IsAnyDepth(components[^1]) ? [.. components, "*"u8.ToArray()] : components;
    }

    private static bool IsAnyDepth(ReadOnlySpan<byte> component) => component.SequenceEqual("**"u8);

    // As within a name: on a mismatch, the last "**" takes one component more; an earlier one need not be tried again. So no path, however deep somebody makes it, takes long.
    private static bool Matches(byte[][] pattern, byte[][] path)
    {
        int p = 0, n = 0, deep = -1, mark = 0;
        while (n < path.Length)
        {
            if (p < pattern.Length && IsAnyDepth(pattern[p]))
            {
                deep = p++;
                mark = n;
            }
            else if (p < pattern.Length && MatchesName(pattern[p], path[n]))
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

        while (p < pattern.Length && IsAnyDepth(pattern[p]))
        {
            p++;
        }

        return p == pattern.Length;
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

[JsonSerializable(typeof(string[][]))]
internal sealed partial class FilterJson : JsonSerializerContext;
