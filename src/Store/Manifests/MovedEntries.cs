namespace Mirror.Store.Manifests;

/// <summary>
/// What moves of directories come to, entry by entry. All moves are read from the same manifest, the one before: so directories can change places, move into each other and out of a
/// directory that moves itself. An entry goes with the nearest moved directory above it.
/// </summary>
internal sealed class MovedEntries
{
    /// <summary>Paths of moved entries, together: names that grow by every move must not become more than a pack could have said itself.</summary>
    private const long MaxPathBytes = 4L << 30;

    private readonly Manifest from;
    private readonly IReadOnlyList<DirectoryMove> moves;
    private readonly Dictionary<EntryPath, EntryPath> targets;

    /// <param name="moves">By their old paths, in manifest order.</param>
    public MovedEntries(Manifest from, IReadOnlyList<DirectoryMove> moves)
    {
        this.from = from;
        this.moves = moves;
        targets = moves.ToDictionary(move => move.From, move => move.To);
    }

    /// <summary>Every path that the moves change: with what stands there then, or null where nothing does.</summary>
    /// <exception cref="InvalidDataException">There is no such directory, two entries come to one path, or a path becomes none.</exception>
    public Dictionary<EntryPath, Entry?> Expand()
    {
        var (changed, clash) = TryExpand();
        return clash is null
            ? changed
            : throw new InvalidDataException($"The move of \"{clash.Value.Move.From}\" to \"{clash.Value.Move.To}\" is refused: something else moves to \"{clash.Value.Path}\".");
    }

    /// <summary>The same; says instead of throwing which move leads to a path that another one leads to.</summary>
    public (Dictionary<EntryPath, Entry?> Changed, (DirectoryMove Move, EntryPath Path)? Clash) TryExpand()
    {
        var left = new List<EntryPath>();
        var changed = new Dictionary<EntryPath, Entry?>();
        var bytes = 0L;
        foreach (var move in moves)
        {
            foreach (var entry in Below(move.From))
            {
                var there = Moved(entry, move);
                bytes += there.Path.Bytes.Length;
                if (bytes > MaxPathBytes)
                {
                    throw new InvalidDataException($"The moves are refused: the paths of what they move have more than {MaxPathBytes} bytes.");
                }

                if (!changed.TryAdd(there.Path, there))
                {
                    return ([], (move, there.Path));
                }

                left.Add(entry.Path);
            }
        }

        foreach (var path in left)
        {
            changed.TryAdd(path, null);
        }

        return (changed, null);
    }

    /// <summary>The directory and what goes with it: not what lies in another moved directory.</summary>
    private IEnumerable<Entry> Below(EntryPath directory)
    {
        var (at, end) = from.RangeOf(directory);
        if (at == end || from.Entries[at].Type != EntryType.Directory)
        {
            throw new InvalidDataException($"The move of \"{directory}\" is refused: there is no such directory in the version the changes start from.");
        }

        yield return from.Entries[at++];
        while (at < end)
        {
            var entry = from.Entries[at];
            if (entry.Type == EntryType.Directory && targets.ContainsKey(entry.Path))
            {
                at = from.RangeOf(entry.Path).End;
                continue;
            }

            yield return entry;
            at++;
        }
    }

    private Entry Moved(Entry entry, DirectoryMove move) => entry with
    {
        Path = entry.Path.Moved(move.From, move.To),
        HardlinkOf = entry.HardlinkOf is { } leader ? Target(leader) : null,
    };

    private EntryPath Target(EntryPath path)
    {
        for (var above = path; !above.IsRoot; above = above.Parent)
        {
            if (targets.TryGetValue(above, out var target))
            {
                return path.Moved(above, target);
            }
        }

        return path;
    }
}
