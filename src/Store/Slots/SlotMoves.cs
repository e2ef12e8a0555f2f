using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Store.Slots;

/// <summary>
/// Directories of a slot that come to their new place by one rename each, with all that lies in them, instead of a link and an unlink for every file. Only where that is exact and nothing can
/// come along that no version knows: whatever is doubtful is left to be made entry by entry.
/// </summary>
internal sealed class SlotMoves
{
    /// <summary>Below this it is not worth a look at the disk.</summary>
    private const int LeastEntries = 8;
    private const int MostMoves = 64;
    private const uint OwnerAll = 0x1c0;

    private readonly string tree;
    private readonly Manifest slot;
    private readonly List<DirectoryMove> moves = [];

    private SlotMoves(string tree, Manifest slot)
    {
        this.tree = tree;
        this.slot = slot;
        Moved = slot;
    }

    /// <summary>In an order in which they can be made, each by itself.</summary>
    public IReadOnlyList<DirectoryMove> Moves => moves;

    /// <summary>What the slot holds once they are made.</summary>
    public Manifest Moved { get; private set; }

    public static SlotMoves None(Manifest slot) => new("", slot);

    public static SlotMoves Find(string tree, Manifest slot, Manifest target)
    {
        var found = new SlotMoves(tree, slot);
        var changes = Manifest.Diff(slot, target);
        if (changes.Removed.Count >= LeastEntries)
        {
            foreach (var move in new MoveSearch(slot, changes).Find())
            {
                if (found.moves.Count < MostMoves && found.moves.TrueForAll(other => AreApart(move, other)) && found.CanBeMade(move))
                {
                    found.moves.Add(move);
                }
            }
        }

        found.Moved = found.moves.Count == 0 ? slot : slot.Apply(new PackChanges(found.moves, [], []));
        return found;
    }

    /// <summary>Where an entry of the slot, or one at the same path of a sibling, comes to stand.</summary>
    public EntryPath TargetOf(EntryPath path)
    {
        foreach (var move in moves)
        {
            if (path.IsWithin(move.From))
            {
                return path.Moved(move.From, move.To);
            }
        }

        return path;
    }

    private static bool AreApart(DirectoryMove one, DirectoryMove other)
    {
        EntryPath[] ends = [one.From, one.To];
        return Array.TrueForAll(ends, path => !path.IsWithin(other.From) && !path.IsWithin(other.To) && !other.From.IsWithin(path) && !other.To.IsWithin(path));
    }

    private bool CanBeMade(DirectoryMove move)
    {
        var (start, end) = slot.RangeOf(move.From);
        if (end - start < LeastEntries || move.To.IsWithin(move.From) || move.From.IsWithin(move.To)
            || slot.Find(move.To) is not null || slot.Find(move.To.Parent) is not { Type: EntryType.Directory }
            || (!Posix.IsRoot && (slot.Entries[start].Mode & OwnerAll) != OwnerAll))
        {
            return false;
        }

        var directories = new List<Entry>();
        for (var at = start; at < end; at++)
        {
            var entry = slot.Entries[at];
            if (entry.HardlinkOf is { } leader ? !leader.IsWithin(move.From) : slot.MembersOf(entry.Path).Any(member => !member.IsWithin(move.From)))
            {
                return false;
            }

            if (entry.Type == EntryType.Directory)
            {
                directories.Add(entry);
            }
        }

        try
        {
            // What an app keeps there, or somebody put there, must not come along under another name; nor must anything stand in the way.
            using var root = new TreeHandle(tree);
            return InodeFacts.Of(root, move.To) is null && ForeignNames.Find(tree, directories, slot, static _ => false).Count == 0;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A directory that is not there, or may not be listed by this user: making it anew copes with both.
            return false;
        }
    }
}
