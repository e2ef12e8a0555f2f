using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Primary.Capture;

/// <summary>What a comparison of a live tree with a manifest found. The contents of new and changed files are in the pack it wrote.</summary>
internal sealed record TreeChanges(
    Manifest Manifest,
    ManifestDelta Delta,
    Dictionary<EntryPath, StatKey> StatKeys,
    IReadOnlyDictionary<ContentHash, BlockSignature> Signatures,
    int FilesRead,
    IReadOnlyList<EntryPath> Unstable,
    IReadOnlyList<EntryPath> Unsettled)
{
    /// <summary>Files that were found and were gone when they were to be read: deleted, or renamed to where nobody looked any more.</summary>
    public IReadOnlyList<EntryPath> Vanished { get; init; } = [];
}

/// <summary>What is remembered of the tree as it was last captured.</summary>
/// <param name="OpenBasis">Opens an old content that is still at hand, at its start and seekable; null for nearly all.</param>
internal sealed record KnownTree(
    Manifest Manifest, StatTable StatKeys, Func<ContentHash, BlockSignature?> FindSignature, Func<ContentHash, Stream?> OpenBasis,
    BlockKey Key)
{
    public static KnownTree Nothing(BlockKey key) => new(Manifest.Empty, StatTable.Empty, static _ => null, static _ => null, key);
}

/// <summary>
/// Compares the live tree with what was captured last. A file whose type, size, mtime, ctime and inode are as before is not read, also when a directory above it got another name; every other one is, once.
/// Deletions and moves come out of the comparison.
/// </summary>
internal static class TreeCapture
{
    /// <summary>
    /// File systems stamp times by a coarse clock: a second write within the same stamp, after the file was read, would leave no trace in its stat. So the stat of
    /// a file touched this shortly before the capture, or during it, is not remembered, and the next capture reads the file again.
    /// </summary>
    private static readonly TimeSpan settling = TimeSpan.FromMilliseconds(100);
    private const long nanosecondsPerTick = 100;

    /// <param name="guards">Null: however much is gone, it is meant.</param>
    public static async Task<TreeChanges> CompareAsync(
        CaptureSource source, SourceScan scan, KnownTree known, PackWriter writer, CaptureGuards? guards, DateTimeOffset began, CancellationToken cancellation)
    {
        var settled = SettledBefore(began);
        var vanished = new List<EntryPath>();
        var (scanned, before) = (WithoutOrphans(scan.Entries, vanished), scan.Replaced ?? known.Manifest.Entries);
        var olds = Matched(scanned, before);
        var gone = guards is null ? null : new GoneEntries(source.Tree, guards, known.Manifest, scanned, before, olds);
        gone?.RefuseBeforeReading();

        var reader = new ContentReader(source, writer, known.Key, known.OpenBasis, hash => known.Manifest.FindContent(hash) is not null, settled);
        var knownSizes = new Lazy<HashSet<long>>(() => [.. known.Manifest.Entries.Where(entry => entry.Type == EntryType.File).Select(entry => entry.Size)]);
        var bases = new BasisChoice(known);
        var entries = new List<Entry>(scanned.Count);
        var leaders = new Dictionary<EntryPath, Entry>();
        var stats = new Dictionary<EntryPath, StatKey>(scanned.Count);
        var signatures = new Dictionary<ContentHash, BlockSignature>();
        var unstable = new List<EntryPath>();
        var unsettled = new List<EntryPath>();
        var filesRead = 0;

        var unread = new ContentHash?[scanned.Count];
        var small = new List<ScannedEntry>();
        for (var i = 0; i < scanned.Count; i++)
        {
            if (scanned[i].Entry is not { Type: EntryType.File, HardlinkOf: null })
            {
                continue;
            }

            unread[i] = olds[i] is { Type: EntryType.File, Unstable: false } old && known.StatKeys.TryGetValue(scanned[i].Entry.Path, out var seen) && seen == scanned[i].Stat
                ? old.Hash
                : olds[i] is null ? bases.Unread(scanned[i]) : null;
            if (unread[i] is null && scanned[i].Entry.Size <= FilesAhead.MaxLength)
            {
                small.Add(scanned[i]);
            }
        }

        await using var ahead = new FilesAhead(source, small, settled, cancellation);
        for (var i = 0; i < scanned.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var found = scanned[i];
            var entry = found.Entry;
            var old = olds[i];
            if (entry.Type != EntryType.File)
            {
                if (entry.Type != EntryType.Directory)
                {
                    entry = entry with { HardlinkOf = leaders.TryGetValue(entry.HardlinkOf ?? entry.Path, out var one) ? one.Path : null };
                    leaders.TryAdd(found.Entry.HardlinkOf ?? entry.Path, entry);
                }

                entries.Add(entry);
                continue;
            }

            if (entry.HardlinkOf is { } leader)
            {
                if (leaders.TryGetValue(leader, out var first))
                {
                    entries.Add(first with { Path = entry.Path, HardlinkOf = first.Path });
                    continue;
                }

                // The group's first path vanished after the walk, or is another file by now: this one is the first.
                entry = entry with { HardlinkOf = null };
            }

            var isSame = true;
            if (unread[i] is { } hash)
            {
                // Its inode was not changed since, and so its attributes were not: those that were found may be of a file that took its place between two calls.
                entry = entry with { Hash = hash, Xattrs = old?.Xattrs ?? entry.Xattrs };
                stats[entry.Path] = found.Stat;
            }
            else
            {
                var (oldHash, basis) = bases.Find(found, old);
                var file = found.Entry is { HardlinkOf: null, Size: <= FilesAhead.MaxLength } ? await ahead.NextAsync(cancellation) : default;
                var read = file.Content is not null ? await reader.TakeAsync(file, oldHash, basis, cancellation)
                    : file.Found is null || file.MovedOn ? await reader.ReadAsync(found, oldHash, basis, old is null && knownSizes.Value.Contains(entry.Size), cancellation)
                    : null;
                if (read is not { } content)
                {
                    vanished.Add(entry.Path);
                    continue;
                }

                if (content.Anew is { Type: not EntryType.File } instead)
                {
                    entries.Add(instead);
                    continue;
                }

                filesRead++;
                isSame = content.Stat.Inode == found.Stat.Inode && content.Stat.Device == found.Stat.Device;
                entry = (content.Anew ?? entry) with { Hash = content.Hash, Size = content.Size, MtimeUnixNs = content.Stat.MtimeNs, Unstable = content.Unstable };
                if (content.Stat.CtimeNs < settled && !content.Unstable)
                {
                    stats[entry.Path] = content.Stat;
                }
                else
                {
                    unsettled.Add(entry.Path);
                }

                if (content.Signature is { } signature)
                {
                    signatures[content.Hash] = signature;
                }

                if (content.Unstable)
                {
                    unstable.Add(entry.Path);
                }
            }

            if (old is { Type: EntryType.File } && old.Hash == entry.Hash && CaptureSource.IsDump(entry.Path))
            {
                // Dumped again, perhaps a while ago, and nothing changed in it.
                entry = old;
            }

            if (isSame)
            {
                leaders[found.Entry.HardlinkOf ?? entry.Path] = entry;
            }

            entries.Add(entry);
        }

        gone?.RefuseAfterReading(entries);
        var (manifest, delta) = known.Manifest.Become(entries, before);
        return new TreeChanges(manifest, delta, stats, signatures, filesRead, unstable, unsettled) { Vanished = vanished };
    }

    /// <summary>A ctime (ns since 1970) before this one is older than all that can happen during a capture that began then.</summary>
    public static long SettledBefore(DateTimeOffset began) => (began - DateTimeOffset.UnixEpoch - settling).Ticks * nanosecondsPerTick;

    /// <summary>What the manifest had at the path of each entry; both are in manifest order.</summary>
    private static Entry?[] Matched(IReadOnlyList<ScannedEntry> scanned, IReadOnlyList<Entry> known)
    {
        var olds = new Entry?[scanned.Count];
        using var next = known.GetEnumerator();
        var more = next.MoveNext();
        for (var i = 0; i < olds.Length; i++)
        {
            var order = -1;
            while (more && (order = next.Current.Path.CompareTo(scanned[i].Entry.Path)) < 0)
            {
                more = next.MoveNext();
            }

            olds[i] = more && order == 0 ? next.Current : null;
        }

        return olds;
    }

    // A directory that vanished, or was moved, between two looks takes what was seen in it along. Before anything is made of that: it may lead a group of links.
    private static List<ScannedEntry> WithoutOrphans(IReadOnlyList<ScannedEntry> scanned, List<EntryPath> orphans)
    {
        // In manifest order the directories on the way to an entry are the last ones seen.
        var above = new Stack<EntryPath>();
        var kept = new List<ScannedEntry>(scanned.Count);
        foreach (var found in scanned)
        {
            var entry = found.Entry;
            while (above.TryPeek(out var directory) && !entry.Path.IsWithin(directory))
            {
                above.Pop();
            }

            if (!entry.Path.IsRoot && !(above.TryPeek(out var parent) && entry.Path.IsChildOf(parent)))
            {
                orphans.Add(entry.Path);
                continue;
            }

            if (entry.Type == EntryType.Directory)
            {
                above.Push(entry.Path);
            }

            kept.Add(found);
        }

        return kept;
    }
}
