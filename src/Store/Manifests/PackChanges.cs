namespace Mirror.Store.Manifests;

/// <summary>
/// How one manifest differs from another as a pack says it: directories that moved as a whole, and over that the entries to put and the paths to remove. What the moves come to is only
/// known beside the manifest they start from; <see cref="Over"/> tells, and nobody else needs to understand moves. So a renamed directory costs two paths, however much it holds.
/// </summary>
/// <param name="Moves">By their old paths, in manifest order. All are meant at once.</param>
public sealed record PackChanges(IReadOnlyList<DirectoryMove> Moves, IReadOnlyList<Entry> Put, IReadOnlyList<EntryPath> Removed)
{
    private Dictionary<EntryPath, EntryPath>? origins;
    private Dictionary<EntryPath, EntryPath>? targets;

    public bool IsEmpty => Moves.Count == 0 && Put.Count == 0 && Removed.Count == 0;

    /// <summary>The same without looking for moves.</summary>
    public static PackChanges Plain(ManifestDelta changes) => new([], changes.Put, changes.Removed);

    /// <summary>The shortest way found to say it: <see cref="Over"/> the same manifest gives back exactly these changes, whatever moves were found.</summary>
    /// <param name="from">What the changes start from.</param>
    /// <param name="changes">A difference: everything in it changes something.</param>
    public static PackChanges Between(Manifest from, ManifestDelta changes) => By(new MoveSearch(from, changes).Find(), from, changes);

    /// <summary>The same where moves are known already, so that they are not searched again; when there are none, or they cannot be made, it is searched.</summary>
    /// <param name="known">They need not be right.</param>
    internal static PackChanges Between(Manifest from, ManifestDelta changes, IReadOnlyList<DirectoryMove> known)
    {
        try
        {
            return known.Count > 0 ? By(known, from, changes) : Between(from, changes);
        }
        catch (InvalidDataException)
        {
            // Two directories would come to one path, or what became of one is no directory.
            return Between(from, changes);
        }
    }

    /// <summary>
    /// What two changes after each other come to. The moves they know between them are tried beside those that a search finds, and the shorter way is taken: a search can take the wrong one of
    /// two directories that look alike, and joined changes are to say no more than they did apart.
    /// </summary>
    /// <param name="from">What the first one starts from.</param>
    /// <param name="changes">The difference from there to where the second one leads.</param>
    internal static PackChanges Joined(Manifest from, ManifestDelta changes, PackChanges first, PackChanges second)
    {
        var searched = Between(from, changes);
        try
        {
            var joined = By(new MoveSearch(from, changes).Weigh(MovesInTurn(from, first, second)), from, changes);
            return joined.Length < searched.Length ? joined : searched;
        }
        catch (InvalidDataException)
        {
            // Of what the second removes again, moved twice, a path can become too long.
            return searched;
        }
    }

    /// <summary>These moves the other way: of where they lead to.</summary>
    internal static IReadOnlyList<DirectoryMove> Reversed(IReadOnlyList<DirectoryMove> moves) =>
        [.. moves.Select(move => new DirectoryMove(move.To, move.From)).OrderBy(move => move.From)];

    /// <summary>About how many bytes it takes to say.</summary>
    private long Length => Moves.Sum(static move => (long)MoveSearch.CostOf(move)) + ((long)MoveSearch.EntryBytes * Put.Count) + ((long)MoveSearch.PathBytes * Removed.Count);

    /// <summary>Each directory of the first manifest that either change moves, with where it is after both; without those that are back where they were.</summary>
    private static List<DirectoryMove> MovesInTurn(Manifest from, PackChanges first, PackChanges second)
    {
        var ends = new Dictionary<EntryPath, EntryPath>();
        foreach (var move in first.Moves)
        {
            ends.TryAdd(move.From, second.TargetOf(move.To));
        }

        foreach (var move in second.Moves)
        {
            // What the first leaves where it is can lie below what it moves.
            ends.TryAdd(IsDirectory(first.OriginOf(move.From)) ? first.OriginOf(move.From) : move.From, move.To);
        }

        return [.. ends.Where(move => move.Key != move.Value && IsDirectory(move.Key)).Select(move => new DirectoryMove(move.Key, move.Value)).OrderBy(move => move.From)];

        bool IsDirectory(EntryPath path) => from.Find(path)?.Type == EntryType.Directory;
    }

    private static PackChanges By(IReadOnlyList<DirectoryMove> moves, Manifest from, ManifestDelta changes)
    {
        if (moves.Count == 0)
        {
            return Plain(changes);
        }

        var moved = new MovedEntries(from, moves).Expand();
        var said = changes.Put.Select(entry => entry.Path).Concat(changes.Removed).ToHashSet();
        var put = changes.Put.Where(entry => !moved.TryGetValue(entry.Path, out var there) || !entry.Equals(there)).ToList();
        var removed = changes.Removed.Where(path => !moved.TryGetValue(path, out var there) || there is not null).ToList();

        // What the moves do that the changes do not is taken back.
        foreach (var (path, entry) in moved.Where(pair => !said.Contains(pair.Key)))
        {
            if (from.Find(path) is not { } stays)
            {
                removed.Add(path);
            }
            else if (!stays.Equals(entry))
            {
                put.Add(stays);
            }
        }

        put.Sort(static (left, right) => left.Path.CompareTo(right.Path));
        removed.Sort();
        return new PackChanges(moves, put, removed);
    }

    /// <summary>The plain difference from the manifest that these changes start from.</summary>
    /// <exception cref="InvalidDataException">They cannot start from this manifest, or lead two entries to one path.</exception>
    public ManifestDelta Over(Manifest from)
    {
        if (Moves.Count == 0)
        {
            return new ManifestDelta(Put, Removed);
        }

        var changed = new MovedEntries(from, Moves).Expand();
        foreach (var path in Removed)
        {
            changed[path] = null;
        }

        foreach (var entry in Put)
        {
            changed[entry.Path] = entry;
        }

        var put = new List<Entry>();
        var removed = new List<EntryPath>();
        foreach (var (path, entry) in changed)
        {
            var before = from.Find(path);
            if (entry is null && before is not null)
            {
                removed.Add(path);
            }
            else if (entry is not null && !entry.Equals(before))
            {
                put.Add(entry);
            }
        }

        put.Sort(static (left, right) => left.Path.CompareTo(right.Path));
        removed.Sort();
        return new ManifestDelta(put, removed);
    }

    /// <summary>Where what now stands at a path stood before, by the moves alone.</summary>
    public EntryPath OriginOf(EntryPath path) => Led(path, origins ??= Moves.ToDictionary(move => move.To, move => move.From));

    /// <summary>Where what stood at a path stands now, by the moves alone.</summary>
    internal EntryPath TargetOf(EntryPath path) => Led(path, targets ??= Moves.ToDictionary(move => move.From, move => move.To));

    private static EntryPath Led(EntryPath path, Dictionary<EntryPath, EntryPath> ends)
    {
        for (var above = path; !above.IsRoot && ends.Count > 0; above = above.Parent)
        {
            if (ends.TryGetValue(above, out var end))
            {
                return path.Moved(above, end);
            }
        }

        return path;
    }
}
