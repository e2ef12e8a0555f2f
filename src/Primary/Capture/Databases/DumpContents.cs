using Mirror.Delta;
using Mirror.Node.Apps;
using Mirror.Node.Processes;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Primary.Capture.Databases;

/// <summary>What is known of a file of a dump that was read while it was written.</summary>
/// <param name="Stat">Of the file when it was read to its end; renaming it changes the ctime.</param>
/// <param name="Copies">What it has of <paramref name="Basis"/>; null when that had no signature. Then there is no <paramref name="Basis"/>.</param>
internal sealed record FollowedFile(StatKey Stat, ContentHash Hash, ContentHash Basis, FoundCopies? Copies);

/// <summary>What a version has of a file of a dump.</summary>
/// <param name="Signature">Fetches it; null when the content is too short to be worth one.</param>
/// <param name="InSpool">The spool's file is that very content: it was captured, and not touched since.</param>
internal sealed record DumpBasis(ContentHash Hash, Func<BlockSignature?> Signature, bool InSpool)
{
    /// <summary>It did not change last time, and most likely has not now.</summary>
    public bool IsQuiet { get; init; }
}

/// <summary>
/// What a round of dumps tells the capture that comes after it: the hashes of files that were read while they were written, and what they have of the version before. A file that is not among
/// them, or is not what it was then, is read by the capture.
/// </summary>
public sealed class DumpContents
{
    private readonly VersionStore? store;
    private readonly string spool;
    private readonly HashSet<EntryPath> quiet;
    private readonly GentleThreads? gentle;
    private readonly Dictionary<EntryPath, FollowedFile> files = [];

    /// <param name="store">Holds the version that dumps are compared with; null: they are not.</param>
    /// <param name="quiet">Files that the last round found unchanged; this one notes what it finds.</param>
    /// <param name="gentle">Where dumps are read while they are written; null: anywhere.</param>
    internal DumpContents(VersionStore? store, string spool, HashSet<EntryPath> quiet, GentleThreads? gentle)
    {
        this.gentle = gentle;
        this.quiet = quiet;
        this.store = store;
        this.spool = spool;
    }

    /// <param name="isDoneWhenNextBegins"><see cref="DumpFollower.IsDoneWhenNextBegins"/>.</param>
    /// <summary>For a directory that will be filled, and be at <paramref name="target"/> when it is whole.</summary>
    internal DumpFollower Follow(string pending, string target, TimeProvider time, Func<string, bool>? isDoneWhenNextBegins = null) =>
        new(pending, null, name => BasisOf(Path.Combine(target, name)), store?.BlockKey ?? default, time, gentle) { IsDoneWhenNextBegins = isDoneWhenNextBegins ?? (static _ => false) };

    /// <summary>The same for one file.</summary>
    internal DumpFollower FollowFile(string pending, string target, TimeProvider time) =>
        new(Path.GetDirectoryName(pending)!, Path.GetFileName(pending), _ => BasisOf(target), store?.BlockKey ?? default, time, gentle);

    /// <summary>What was followed is whole, and in place.</summary>
    internal void Add(DumpFollower follower, string target)
    {
        foreach (var (name, file) in follower.Files)
        {
            var path = PathOf(follower.Only is null ? Path.Combine(target, name) : target);
            files[path] = file;
            Note(path, file.Copies is { IsBasis: true });
        }

        foreach (var name in follower.Unchanged)
        {
            Note(PathOf(Path.Combine(target, name)), unchanged: true);
        }
    }

    /// <summary>Null when the file was not followed, or is another by now.</summary>
    internal FollowedFile? Find(EntryPath path, StatKey stat) =>
        files.TryGetValue(path, out var followed) && followed.Stat with { CtimeNs = stat.CtimeNs } == stat ? followed : null;

    private void Note(EntryPath path, bool unchanged) => _ = unchanged ? quiet.Add(path) : quiet.Remove(path);

    private DumpBasis? BasisOf(string target)
    {
        var path = PathOf(target);
        return store?.HeadManifest.Find(path) is not { Type: EntryType.File } known
            ? null
            : new DumpBasis(
                known.Hash, () => store.FindSignature(known.Hash),
                store.StatKeys.TryGetValue(path, out var seen) && TreeScanner.Stat(spool, CaptureSource.WithinDumps(path)) == seen) { IsQuiet = quiet.Contains(path) };
    }

    private EntryPath PathOf(string target) => EntryPath.Parse($"{SlotDatabases.Dumps}/{Path.GetRelativePath(spool, target)}");
}
