using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Capture;

/// <summary>
/// What a capture would take for deleted, and whether so much may be. What is still there under another name is moved and not deleted: for each entry that is gone, one that is new and is the same (a file of its content, a link of
/// its target, a directory for a directory) stands. Contents are known when the new files were read; where even so many new entries could not make up for what is gone, nothing is read first.
/// </summary>
/// <param name="before">What is known of all that was looked at.</param>
/// <param name="olds">What was known at the path of each entry found.</param>
internal sealed class GoneEntries(string tree, CaptureGuards guards, Manifest known, IReadOnlyList<ScannedEntry> scanned, IReadOnlyList<Entry> before, Entry?[] olds)
{
    private readonly int missing = before.Count - olds.Count(static old => old is not null);

    /// <exception cref="CaptureException">Nothing is left, or more is gone than can have been moved.</exception>
    public void RefuseBeforeReading()
    {
        // Nothing left at all is an empty mount point, however small the site was.
        var emptied = !scanned.Any(static found => IsOfSite(found.Entry.Path)) && CountOfSite() is > 0 and var all && before.Count(static entry => IsOfSite(entry.Path)) == all;
        var added = olds.Count(static old => old is null);
        if (emptied || !guards.Tolerates(missing - added, known.Entries.Count))
        {
            throw guards.Refusal(tree, known.Entries.Count, [.. Missing()], emptied);
        }
    }

    /// <param name="entries">What was found, with its contents.</param>
    /// <exception cref="CaptureException">Too much of what is gone is nowhere else.</exception>
    public void RefuseAfterReading(IReadOnlyList<Entry> entries)
    {
        if (guards.Tolerates(missing, known.Entries.Count))
        {
            return;
        }

        var there = before.Select(static entry => entry.Path).ToHashSet();
        var moved = new Dictionary<(EntryType, ContentHash, string), int>();
        foreach (var entry in entries.Where(entry => !there.Contains(entry.Path)))
        {
            moved[Likeness(entry)] = moved.GetValueOrDefault(Likeness(entry)) + 1;
        }

        var deleted = new List<Entry>();
        foreach (var entry in Missing())
        {
            if (moved.TryGetValue(Likeness(entry), out var left) && left > 0)
            {
                moved[Likeness(entry)] = left - 1;
            }
            else
            {
                deleted.Add(entry);
            }
        }

        if (!guards.Tolerates(deleted.Count, known.Entries.Count))
        {
            throw guards.Refusal(tree, known.Entries.Count, deleted, emptied: false);
        }
    }

    private IEnumerable<Entry> Missing()
    {
        var there = olds.OfType<Entry>().Select(static entry => entry.Path).ToHashSet();
        return before.Where(entry => !there.Contains(entry.Path));
    }

    private int CountOfSite()
    {
        var (start, end) = CaptureSource.ReservedIn(known);
        return known.Entries.Count - (end - start) - (known.Entries.Count > 0 ? 1 : 0);
    }

    private static bool IsOfSite(EntryPath path) => !path.IsRoot && !CaptureSource.IsReserved(path);

    private static (EntryType Type, ContentHash Content, string Target) Likeness(Entry entry) => (entry.Type, entry.Hash, Convert.ToHexString(entry.LinkTarget));
}
