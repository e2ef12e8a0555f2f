namespace Mirror.Store.Manifests;

/// <summary>
/// Finds directories that moved, so that a difference can be said shorter. Files that left one directory and came to another with the same name and content vote for it, and for the
/// directories above as long as these have the same names; a move is taken when it saves more than it costs. Nothing found here can be wrong, only longer than need be.
/// </summary>
internal sealed class MoveSearch(Manifest from, ManifestDelta changes)
{
    // About what a pack takes for them. An entry has a hash and times that do not compress; paths beside their like nearly vanish.
    public const int EntryBytes = 60;
    public const int PathBytes = 6;
    private const int MoveBytes = 40;

    /// <summary>Files with one name and one content (licences, empty templates) are in many places: a few of them tell as much as all.</summary>
    private const int MostAlike = 8;

    private const int MostTries = 8;

    private readonly Dictionary<EntryPath, Entry> put = changes.Put.ToDictionary(entry => entry.Path);
    private readonly HashSet<EntryPath> removed = [.. changes.Removed];
    private readonly List<DirectoryMove> found = [];
    private readonly Dictionary<EntryPath, DirectoryMove> foundFrom = [];
    private readonly HashSet<EntryPath> foundTo = [];

    /// <summary>By the old path of each directory that may have moved.</summary>
    private readonly Dictionary<EntryPath, (DirectoryMove Move, long Worth)> worths = [];

    /// <summary>How many entries may be weighed: a few times what there is, however directories are nested.</summary>
    private long patience = 4L * (from.Entries.Count + changes.Put.Count);

    /// <summary>In manifest order of the old paths.</summary>
    public IReadOnlyList<DirectoryMove> Find() => Weigh(Candidates());

    /// <summary>Those that are worth it.</summary>
    /// <param name="candidates">In manifest order of the old paths, each of another directory; they need not be right.</param>
    public IReadOnlyList<DirectoryMove> Weigh(IReadOnlyList<DirectoryMove> candidates)
    {
        // Outer directories first: what goes with them needs no move of its own.
        var better = BetterInParts(candidates);
        foreach (var move in candidates)
        {
            var above = Above(move.From);
            if ((above is not { } outer || !IsTaken(move, outer)) && !better.Contains(move) && !foundTo.Contains(move.To) && Gain(move, above) > 0)
            {
                found.Add(move);
                foundFrom.Add(move.From, move);
                foundTo.Add(move.To);
            }
        }

        for (var tries = 0; found.Count > 0 && new MovedEntries(from, found).TryExpand().Clash is { } clash; tries++)
        {
            found.RemoveAll(move => tries == MostTries || move == clash.Move);
        }

        return found;
    }

    /// <summary>Those of which too much stays behind: the directories in them that moved are better moved by themselves.</summary>
    private HashSet<DirectoryMove> BetterInParts(IReadOnlyList<DirectoryMove> candidates)
    {
        var better = new HashSet<DirectoryMove>();
        var ofParts = candidates.ToDictionary(move => move, _ => 0L);

        // From the inside: what goes the same way is not weighed again for each directory above.
        foreach (var move in candidates.Reverse())
        {
            worths[move.From] = (move, WorthOf(move));
            var (whole, parts) = (worths[move.From].Worth - CostOf(move), ofParts[move]);
            if (parts > whole)
            {
                better.Add(move);
            }

            var outer = new DirectoryMove(move.From.Parent, move.To.Parent);
            if (move.From.Name.SequenceEqual(move.To.Name) && ofParts.ContainsKey(outer))
            {
                ofParts[outer] += Math.Max(0, Math.Max(whole, parts));
            }
        }

        return better;
    }

    private List<DirectoryMove> Candidates()
    {
        var votes = new Dictionary<DirectoryMove, int>();
        var leaving = Leaving();
        if (leaving.Count == 0)
        {
            return [];
        }

        foreach (var entry in changes.Put)
        {
            if (entry is { Type: EntryType.File, Size: > 0 } && from.Find(entry.Path)?.Hash != entry.Hash && leaving.TryGetValue((entry.Hash, NameOf(entry.Path)), out var before))
            {
                foreach (var path in before)
                {
                    Vote(votes, path, entry.Path);
                }
            }
        }

        return [.. votes.GroupBy(vote => vote.Key.From)
            .Select(group => group.OrderByDescending(vote => vote.Value).ThenBy(vote => vote.Key.To).First().Key)
            .OrderBy(move => move.From)];
    }

    private static void Vote(Dictionary<DirectoryMove, int> votes, EntryPath before, EntryPath now)
    {
        do
        {
            (before, now) = (before.Parent, now.Parent);
            if (before.IsRoot || now.IsRoot || before == now)
            {
                return;
            }

            var move = new DirectoryMove(before, now);
            votes[move] = votes.GetValueOrDefault(move) + 1;
        }
        while (before.Name.SequenceEqual(now.Name));
    }

    private Dictionary<(ContentHash Hash, EntryPath Name), List<EntryPath>> Leaving()
    {
        var leaving = new Dictionary<(ContentHash, EntryPath), List<EntryPath>>();
        foreach (var path in changes.Removed.Concat(put.Keys))
        {
            if (from.Find(path) is not { Type: EntryType.File, Size: > 0 } entry || (put.TryGetValue(path, out var now) && now.Hash == entry.Hash))
            {
                continue;
            }

            var key = (entry.Hash, NameOf(path));
            if (!leaving.TryGetValue(key, out var paths))
            {
                leaving.Add(key, paths = []);
            }

            if (paths.Count < MostAlike)
            {
                paths.Add(path);
            }
        }

        return leaving;
    }

    /// <summary>The nearest move found so far that takes this path along.</summary>
    private DirectoryMove? Above(EntryPath path)
    {
        for (var above = path; !above.IsRoot && found.Count > 0; above = above.Parent)
        {
            if (foundFrom.TryGetValue(above, out var move))
            {
                return move;
            }
        }

        return null;
    }

    private long Gain(DirectoryMove move, DirectoryMove? instead) =>
        worths[move.From].Worth - CostOf(move) - (instead is { } outer ? WorthOf(new DirectoryMove(move.From, move.From.Moved(outer.From, outer.To))) : 0);

    /// <summary>The outer move takes the inner directory where its own move does.</summary>
    private static bool IsTaken(DirectoryMove inner, DirectoryMove outer) =>
        inner.To.Bytes.Length - outer.To.Bytes.Length == inner.From.Bytes.Length - outer.From.Bytes.Length
        && inner.To.Bytes.StartsWith(outer.To.Bytes) && inner.To.Bytes[outer.To.Bytes.Length..].SequenceEqual(inner.From.Bytes[outer.From.Bytes.Length..]);

    public static int CostOf(DirectoryMove move) => MoveBytes + move.From.Bytes.Length + move.To.Bytes.Length;

    /// <summary>What all entries of a directory are worth together when it moves.</summary>
    private long WorthOf(DirectoryMove move)
    {
        var (at, end) = from.RangeOf(move.From);
        var worth = 0L;
        while (at < end)
        {
            var entry = from.Entries[at];
            if (entry.Type == EntryType.Directory && worths.TryGetValue(entry.Path, out var known) && IsTaken(known.Move, move))
            {
                worth += known.Worth;
                at = from.RangeOf(entry.Path).End;
            }
            else
            {
                worth += --patience < 0 ? -EntryBytes : Worth(entry, move);
                at++;
            }
        }

        return worth;
    }

    /// <summary>What the changes need not say of an entry when it moves, less what they must say because it does.</summary>
    private int Worth(Entry entry, DirectoryMove move)
    {
        if (entry.Path.Bytes.Length - move.From.Bytes.Length + move.To.Bytes.Length > EntryPath.MaxLength)
        {
            return int.MinValue / 4;
        }

        var path = entry.Path.Moved(move.From, move.To);
        var there = put.TryGetValue(path, out var wanted) ? (SeemsSame(wanted, entry) ? EntryBytes : 0)
            : removed.Contains(path) ? 0
            : from.Find(path) is null ? -PathBytes
            : -EntryBytes;
        var here = removed.Contains(entry.Path) ? PathBytes : put.ContainsKey(entry.Path) ? 0 : -EntryBytes;
        return there + here;
    }

    // All else they say is compared when the changes are written down.
    private static bool SeemsSame(Entry one, Entry other) => one.Hash == other.Hash && one.Type == other.Type && one.Mode == other.Mode && one.MtimeUnixNs == other.MtimeUnixNs;

    private static EntryPath NameOf(EntryPath path) => EntryPath.Root.Append(path.Name);
}
