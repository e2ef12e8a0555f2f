using Mirror.Store.Manifests;

namespace Mirror.Primary.Watch;

/// <summary>
/// What a watcher says may have changed since it was asked last. It is a hint and never an answer: whoever captures looks at each of these paths, and at nothing else unless
/// <paramref name="Everything"/> says so.
/// </summary>
/// <param name="Everything">The watcher cannot tell (it began just now, its queue ran over, a limit was met): only a full scan will do. The rest is empty then.</param>
/// <param name="Paths">An entry was made, written, changed or removed here. Of a directory only its own entry is meant.</param>
/// <param name="Subtrees">Directories where anything below may have changed. One that was made, or moved to its path, is among these: another may have stood there before.</param>
public sealed record TouchedPaths(bool Everything, IReadOnlySet<EntryPath> Paths, IReadOnlySet<EntryPath> Subtrees)
{
    public static TouchedPaths Nothing { get; } = new(false, new HashSet<EntryPath>(), new HashSet<EntryPath>());

    public static TouchedPaths All { get; } = new(true, new HashSet<EntryPath>(), new HashSet<EntryPath>());

    /// <summary>These as well.</summary>
    public TouchedPaths With(IReadOnlyCollection<EntryPath> more) => Everything || more.Count == 0 ? this : this with { Paths = Paths.Concat(more).ToHashSet() };

    /// <summary>And all that lies beside these.</summary>
    public TouchedPaths WithBeside(IReadOnlyCollection<EntryPath> more) => Everything ? this : this with { Subtrees = Subtrees.Concat(more.Select(static path => path.Parent)).ToHashSet() };

    public TouchedPaths And(TouchedPaths more) => Everything || more.Everything ? All : more.IsEmpty ? this : new(false, Paths.Concat(more.Paths).ToHashSet(), Subtrees.Concat(more.Subtrees).ToHashSet());

    public bool IsEmpty => !Everything && Paths.Count == 0 && Subtrees.Count == 0;
}
