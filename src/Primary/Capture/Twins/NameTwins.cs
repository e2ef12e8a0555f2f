using Mirror.Store.Manifests;

namespace Mirror.Primary.Capture.Twins;

/// <summary>
/// Names in one directory that some file systems do not tell apart: <c>Start</c> and <c>start</c>, or one é as a letter and one as e with an accent. Here they are two files; on
/// macOS and Windows, and in what is copied there, one of them is lost. So it is said, and is no fault.
/// </summary>
internal static class NameTwins
{
    private const int Shown = 5;

    /// <summary>Groups that have a name which <paramref name="delta"/> brought.</summary>
    public static IReadOnlyList<IReadOnlyList<EntryPath>> Brought(Manifest manifest, ManifestDelta delta, Manifest before)
    {
        var brought = delta.Put.Where(entry => !entry.Path.IsRoot && before.Find(entry.Path) is null).Select(static entry => entry.Path).ToHashSet();
        var groups = new List<IReadOnlyList<EntryPath>>();
        foreach (var directory in brought.Select(static path => path.Parent).Distinct())
        {
            groups.AddRange(In(manifest.ChildrenOf(directory).Select(static child => child.Path)).Where(group => group.Any(brought.Contains)));
        }

        groups.Sort(static (left, right) => left[0].CompareTo(right[0]));
        return groups;
    }

    /// <summary>For people: the first few groups.</summary>
    public static string Text(IReadOnlyList<IReadOnlyList<EntryPath>> groups) =>
        string.Join("; ", groups.Take(Shown).Select(static group => string.Join(" and ", group))) + (groups.Count > Shown ? "; …" : "");

    private static IEnumerable<IReadOnlyList<EntryPath>> In(IEnumerable<EntryPath> siblings)
    {
        var first = new Dictionary<string, EntryPath>(StringComparer.Ordinal);
        var groups = new Dictionary<string, List<EntryPath>>(StringComparer.Ordinal);
        foreach (var path in siblings)
        {
            if (FoldedName.Of(path.Name) is not { } folded || first.TryAdd(folded, path))
            {
                continue;
            }

            if (!groups.TryGetValue(folded, out var group))
            {
                groups[folded] = group = [first[folded]];
            }

            group.Add(path);
        }

        return groups.Values;
    }
}
