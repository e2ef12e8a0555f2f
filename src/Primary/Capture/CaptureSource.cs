using System.Collections.Concurrent;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture.Databases;
using Mirror.Primary.Capture.Logs;
using Mirror.Primary.Watch;
using Mirror.Store.Logs;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Primary.Capture;

/// <summary>
/// Where the entries of the next version come from: the live tree and, laid over it at <c>.mirror/dumps</c> and <c>.mirror/logs</c>, the spools of database dumps and of what logs
/// got. All are read through here, so that the rest of capture sees one tree.
/// </summary>
/// <param name="root">The live tree; what is read instead of it is its <paramref name="snapshot"/>, if there is one.</param>
/// <param name="logs">Null when the site has none. They are collected after the tree was looked at, and in <paramref name="epoch"/>.</param>
/// <param name="dumps">What is known of the dumps without reading them.</param>
internal sealed class CaptureSource(string root, string? spool, PathFilter filter, SiteLogs? logs = null, ulong epoch = 0, TreeSnapshot? snapshot = null, DumpContents? dumps = null)
{
    private static readonly EntryPath reservedPath = EntryPath.Parse(SlotDatabases.Reserved);
    private static readonly EntryPath dumpsPath = EntryPath.Parse(SlotDatabases.Dumps);

    private readonly ConcurrentBag<EntryPath> logsSeen = [];

    private readonly string tree = snapshot?.Tree ?? root;

    /// <summary>What is read.</summary>
    public string Tree => tree;

    /// <summary>It is as it was at this moment or later; null when it is read as it is.</summary>
    public DateTimeOffset? Since => snapshot?.Since;

    /// <summary>Mirror's own part of a version, not the site's.</summary>
    public static bool IsReserved(EntryPath path) => path.IsWithin(reservedPath);

    /// <summary>Where it is among the entries of a version.</summary>
    public static (int Start, int End) ReservedIn(Manifest version) => version.RangeOf(reservedPath);

    public static bool IsDump(EntryPath path) => path.IsWithin(dumpsPath);

    /// <summary>No part of a version as it is: Mirror's own place in the live tree, what is to be excluded, and logs.</summary>
    public bool IsLeftOut(EntryPath path, EntryType type) => path.IsWithin(reservedPath) || filter.Excludes(path, type) || IsLog(path, type);

    /// <summary>The same for a walk, which comes from above and enters nothing that is left out.</summary>
    public bool IsLeftOutHere(EntryPath path, EntryType type) => path.IsWithin(reservedPath) || filter.ExcludesHere(path, type) || IsLog(path, type);

    /// <exception cref="CaptureException">The root is gone, or something in it cannot be read: what is unknown is never taken for deleted.</exception>
    public SourceScan Scan(CancellationToken cancellation)
    {
        var live = ReadTree(tree, () => TreeScanner.Scan(tree, IsLeftOutHere, cancellation));
        return new SourceScan(WithOverlays(live.Entries, cancellation), null) { MountPoints = live.MountPoints };
    }

    /// <summary>Looks at what was touched only, or for what differs anywhere, and at dumps and logs.</summary>
    /// <exception cref="CaptureException"/>
    public SourceScan Look(TouchedPaths touched, Manifest known, StatTable stats, CancellationToken cancellation)
    {
        IReadOnlyList<Entry> replaced = [];
        var everything = touched.Everything || touched.Subtrees.Contains(EntryPath.Root);
        var live = ReadTree(tree, () =>
        {
            var (scan, before) = everything
                ? new DifferenceScan(known, snapshot is null ? null : snapshot.AsRead).Scan(tree, IsLeftOutHere, cancellation)
                : new TouchedScan(known, snapshot is null ? stats.PathOf : (device, inode) => stats.PathOf(snapshot.AsLive(device), inode)).Look(tree, OfSite(touched.Paths), OfSite(touched.Subtrees), IsLeftOut, cancellation);
            replaced = before;
            return scan;
        });
        if ((HasDumps || logs is not null) && !everything)
        {
            // A walk of everything missed them in the live tree, and said so.
            var (start, end) = ReservedIn(known);
            var dumps = Enumerable.Range(start, end - start).Select(at => known.Entries[at]);
            replaced = [.. replaced.Concat(dumps).OrderBy(entry => entry.Path)];
        }

        return new SourceScan(WithOverlays(live.Entries, cancellation), replaced) { MountPoints = live.MountPoints };
    }

    private bool HasDumps => spool is not null && Directory.Exists(spool);

    // Mirror's own place in a live tree says nothing of what a version has there.
    private static List<EntryPath> OfSite(IReadOnlyCollection<EntryPath> paths) => [.. paths.Where(path => !path.IsWithin(reservedPath))];

    private IReadOnlyList<ScannedEntry> WithOverlays(IReadOnlyList<ScannedEntry> found, CancellationToken cancellation)
    {
        var live = snapshot is null ? found : [.. found.Select(entry => entry with { Stat = snapshot.AsLive(entry.Stat) })];
        if (!HasDumps && logs is null)
        {
            return live;
        }

        var all = new List<ScannedEntry>(live) { new(PlainDirectory(reservedPath), default) };
        if (HasDumps)
        {
            Lay(spool!, dumpsPath, all, cancellation);
        }

        if (logs is not null)
        {
            logs.Collect(root, logsSeen, epoch);
            Lay(logs.Segments, LogSegment.Directory, all, cancellation);
        }

        all.Sort(static (left, right) => left.Entry.Path.CompareTo(right.Entry.Path));
        return all;
    }

    private static void Lay(string overlay, EntryPath place, List<ScannedEntry> all, CancellationToken cancellation)
    {
        all.Add(new ScannedEntry(PlainDirectory(place), default));
        foreach (var found in ReadTree(overlay, () => TreeScanner.Scan(overlay, static (_, _) => false, cancellation)).Entries)
        {
            if (!found.Entry.Path.IsRoot)
            {
                all.Add(found with { Entry = Overlaid(found.Entry, place) });
            }
        }
    }

    /// <summary>What a dump's file has been found to hold; null when it has to be read.</summary>
    public FollowedFile? Followed(ScannedEntry found) => dumps?.Find(found.Entry.Path, found.Stat);

    public FileStream OpenRead(EntryPath path)
    {
        var (tree, relative) = Locate(path);
        return TreeScanner.OpenRead(tree, relative);
    }

    /// <summary>For many small files.</summary>
    public SourceReader OpenReader() => new(Locate, snapshot);

    /// <summary>What an open file is, under the path it has here.</summary>
    public ScannedEntry Describe(FileStream file, EntryPath path)
    {
        var found = TreeScanner.Describe(Locate(path).Tree, file.SafeFileHandle, path);
        return snapshot is null ? found : found with { Stat = snapshot.AsLive(found.Stat) };
    }

    /// <summary>False when there is no file (any more): then what stands there instead, if anything.</summary>
    public bool IsFile(EntryPath path, out Entry? instead)
    {
        var (tree, relative) = Locate(path);
        instead = TreeScanner.Look(tree, relative)?.Entry;
        instead = instead is null ? null : instead with { Path = path };
        return instead is { Type: EntryType.File };
    }

    /// <summary>Where the spool has a dump of a version.</summary>
    public static string InSpool(string spool, EntryPath path) => Path.Combine(spool, WithinDumps(path).ToString());

    private (string Tree, EntryPath Relative) Locate(EntryPath path) =>
        spool is not null && IsDump(path) && path != dumpsPath ? (spool, WithinDumps(path))
        : logs is not null && path.IsWithin(LogSegment.Directory) && path != LogSegment.Directory ? (logs.Segments, Within(LogSegment.Directory, path))
        : (tree, path);

    private bool IsLog(EntryPath path, EntryType type)
    {
        if (logs is null || type != EntryType.File || !logs.Matches(path))
        {
            return false;
        }

        logsSeen.Add(path);
        return true;
    }

    /// <summary>A dump's path in the spool.</summary>
    public static EntryPath WithinDumps(EntryPath path) => Within(dumpsPath, path);

    private static EntryPath Within(EntryPath place, EntryPath path) => EntryPath.Parse(path.Bytes[(place.Bytes.Length + 1)..]);

    private static TreeScan ReadTree(string tree, Func<TreeScan> read)
    {
        TreeScan scan;
        try
        {
            scan = read();
        }
        catch (DirectoryNotFoundException missing)
        {
            throw new CaptureException($"The directory {tree} is not there. Nothing was captured and nothing is taken for deleted; mount or restore it, or correct the site's root.", missing);
        }

        if (scan.Unreadable.Count > 0)
        {
            var shown = string.Join("; ", scan.Unreadable.Take(5).Select(path => $"{path.Path}: {path.Reason}"));
            throw new CaptureException(
                $"{scan.Unreadable.Count} path(s) in {tree} cannot be read ({shown}). A version that silently lacks them must not exist: make them readable to this process, or exclude them.");
        }

        return scan;
    }

    // Dumps carry no owner of their own: equal databases must give equal versions on every node.
    private static Entry Overlaid(Entry found, EntryPath place) => found with
    {
        Path = EntryPath.Parse([.. place.Bytes, (byte)'/', .. found.Path.Bytes]),
        HardlinkOf = null,
    };

    private static Entry PlainDirectory(EntryPath path) => new() { Path = path, Type = EntryType.Directory, Mode = 0x1C0 /* 0700 */ };
}

/// <summary>What was found in a source.</summary>
/// <param name="Replaced">The known entries that the found ones take the place of, in manifest order; null: all of them.</param>
internal sealed record SourceScan(IReadOnlyList<ScannedEntry> Entries, IReadOnlyList<Entry>? Replaced)
{
    /// <summary>Where other file systems were met, which are no part of a version.</summary>
    public IReadOnlyList<EntryPath> MountPoints { get; init; } = [];
}

/// <summary>Reads small files of a source whole, wherever they lie.</summary>
internal sealed class SourceReader(Func<EntryPath, (string Tree, EntryPath Relative)> locate, TreeSnapshot? snapshot) : IDisposable
{
    private readonly Dictionary<string, TreeReader> readers = new(StringComparer.Ordinal);

    /// <inheritdoc cref="TreeReader.Read"/>
    public int? Read(EntryPath path, Span<byte> buffer, out StatKey stat)
    {
        var (tree, relative) = locate(path);
        if (!readers.TryGetValue(tree, out var reader))
        {
            readers.Add(tree, reader = new TreeReader(tree));
        }

        var length = reader.Read(relative, buffer, out stat);
        stat = snapshot?.AsLive(stat) ?? stat;
        return length;
    }

    public void Dispose()
    {
        foreach (var reader in readers.Values)
        {
            reader.Dispose();
        }
    }
}
