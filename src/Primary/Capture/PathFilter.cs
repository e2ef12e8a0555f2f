using System.Text.Json;
using System.Text.Json.Serialization;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture.Ignore;
using Mirror.Store.Manifests;

namespace Mirror.Primary.Capture;

/// <summary>Why a path is left out, or is not.</summary>
/// <param name="IsExcluded">It is left out.</param>
/// <param name="At">The path that was decided on: the one asked about, or a directory above it that is left out with all below it.</param>
/// <param name="IsPrivate">It belongs to a live database, and no pattern has a say.</param>
/// <param name="Pattern">Index of the pattern that decided; null when none matches.</param>
public readonly record struct FilterDecision(bool IsExcluded, EntryPath At, bool IsPrivate, int? Pattern);

/// <summary>
/// What of a tree is not captured: live database files, and what the site's patterns say, in gitignore's syntax and by its rules: the last pattern that matches decides; <c>!</c> takes
/// back; but what lies in a directory that is left out is left out with it, for nobody looks there.
/// </summary>
public sealed class PathFilter
{
    /// <summary>What the patterns mean; it changes when their meaning does, so that nothing decided by an older meaning is believed.</summary>
    private const string Syntax = "gitignore";

    private readonly HashSet<EntryPath> privatePaths;
    private readonly IgnorePattern[] patterns;
    private readonly string[][] given;

    public PathFilter(IEnumerable<string> privatePaths, IEnumerable<string> patterns)
    {
        given = [[.. privatePaths], [.. patterns], [Syntax]];
        this.privatePaths = [.. given[0].Select(EntryPath.Parse)];
        this.patterns = [.. given[1].Select(static text => new IgnorePattern(text))];
    }

    public static PathFilter Nothing { get; } = new([], []);

    public static PathFilter For(SiteConfig site) => new(SlotDatabases.PrivatePaths(site), site.Files.Exclude);

    /// <summary>Equal filters have equal texts.</summary>
    public override string ToString() => JsonSerializer.Serialize(given, FilterJson.Default.StringArrayArray);

    /// <summary>Which of the patterns, by index, can match nothing at all: a mistake, most likely.</summary>
    public IReadOnlyList<int> MatchNothing => [.. Enumerable.Range(0, patterns.Length).Where(i => patterns[i].MatchesNothing)];

    /// <summary>Files of live databases.</summary>
    public IReadOnlyCollection<EntryPath> PrivatePaths => privatePaths;

    public bool IsPrivate(EntryPath path) => privatePaths.Contains(path);

    /// <summary>True when the path, or a directory above it, is left out.</summary>
    public bool Excludes(EntryPath path, EntryType type) => Explain(path, type).IsExcluded;

    /// <summary>The same, for who comes from above and knows that no directory on the way is left out.</summary>
    public bool ExcludesHere(EntryPath path, EntryType type) =>
        !path.IsRoot && ((privatePaths.Count > 0 && privatePaths.Contains(path)) || (Decisive(path.Bytes, type == EntryType.Directory) is { } index && !patterns[index].TakesBack));

    public FilterDecision Explain(EntryPath path, EntryType type)
    {
        if (path.IsRoot)
        {
            return default;
        }

        if (privatePaths.Contains(path))
        {
            return new FilterDecision(true, path, true, null);
        }

        var bytes = path.Bytes;
        for (var end = 0; patterns.Length > 0 && end < bytes.Length;)
        {
            var slash = bytes[end..].IndexOf((byte)'/');
            if (slash < 0)
            {
                break;
            }

            if (Decisive(bytes[..(end + slash)], isDirectory: true) is { } above && !patterns[above].TakesBack)
            {
                return new FilterDecision(true, EntryPath.Parse(bytes[..(end + slash)]), false, above);
            }

            end += slash + 1;
        }

        var index = Decisive(bytes, type == EntryType.Directory);
        return new FilterDecision(index is { } found && !patterns[found].TakesBack, path, false, index);
    }

    private int? Decisive(ReadOnlySpan<byte> path, bool isDirectory)
    {
        for (var i = patterns.Length - 1; i >= 0; i--)
        {
            if (patterns[i].Matches(path, isDirectory))
            {
                return i;
            }
        }

        return null;
    }
}

[JsonSerializable(typeof(string[][]))]
internal sealed partial class FilterJson : JsonSerializerContext;
