using Mirror.Store.Logs;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>The part of a version that is restored, with paths as they will be: below the directory that becomes the destination, or one name for a single entry.</summary>
internal sealed class RestorePart
{
    /// <summary>The name under which a single entry is made before it gets its own.</summary>
    public static readonly EntryPath SingleName = EntryPath.Parse("tree");

    private readonly EntryPath path;

    private RestorePart(EntryPath path, bool isDirectory, IReadOnlyList<Entry> entries)
    {
        this.path = path;
        IsDirectory = isDirectory;
        Entries = entries;
    }

    public bool IsDirectory { get; }

    /// <summary>In manifest order. A hard link whose first name lies outside is the first name here, or a link to that.</summary>
    public IReadOnlyList<Entry> Entries { get; }

    public IEnumerable<Entry> Contents => Entries.Where(static entry => entry is { Type: EntryType.File, HardlinkOf: null });

    /// <summary>Room its files take, at least. How much of a sparse file is holes only writing it shows.</summary>
    public long RoomNeeded => Contents.Where(static entry => !entry.Sparse).Sum(static entry => (entry.Size + 4095) & ~4095L);

    /// <exception cref="StoreException">The version has no such path.</exception>
    public static RestorePart Of(RestoreVersion version, EntryPath path)
    {
        var manifest = version.Manifest;
        var differing = version.Since is { } since ? DifferingFrom(since, manifest) : null;
        if (path.IsRoot && differing is null)
        {
            return new RestorePart(path, isDirectory: true, manifest.Entries);
        }

        var top = manifest.Find(path)
            ?? throw new StoreException($"Version {version.Record.Id} has no \"{path}\". `mirror show` lists what it has, `mirror find` in which versions a path is.");
        if (top.Type != EntryType.Directory)
        {
            return new RestorePart(path, isDirectory: false, [top with { Path = SingleName, HardlinkOf = null }]);
        }

        var entries = new List<Entry>();
        var leaders = new Dictionary<EntryPath, EntryPath>();
        foreach (var entry in manifest.Entries.Where(entry => entry.Path.IsWithin(path) && (differing is null || differing.Contains(entry.Path))))
        {
            var here = path.IsRoot ? entry.Path : entry.Path == path ? EntryPath.Root : EntryPath.Parse(entry.Path.Bytes[(path.Bytes.Length + 1)..]);
            EntryPath? leader = null;
            if (entry.Type == EntryType.File)
            {
                var group = entry.HardlinkOf ?? entry.Path;
                leader = leaders.TryGetValue(group, out var known) ? known : null;
                leaders.TryAdd(group, here);
            }

            entries.Add(entry with { Path = here, HardlinkOf = leader });
        }

        return new RestorePart(path, isDirectory: true, entries);
    }

    /// <summary>Pieces of logs are put together when they are restored, which takes all of them.</summary>
    private static HashSet<EntryPath> DifferingFrom(Manifest since, Manifest manifest)
    {
        var paths = new HashSet<EntryPath> { EntryPath.Root };
        foreach (var entry in Manifest.Diff(since, manifest).Put)
        {
            AddWithDirectories(entry.Path);
        }

        if (paths.Any(changed => changed.IsWithin(LogSegment.Directory)))
        {
            foreach (var piece in manifest.Entries.Select(entry => entry.Path).Where(kept => kept.IsWithin(LogSegment.Directory)))
            {
                AddWithDirectories(piece);
                if (LogSegment.TryParse(piece, out var segment))
                {
                    AddWithDirectories(segment.Log.Parent);
                }
            }
        }

        return paths;

        void AddWithDirectories(EntryPath path)
        {
            for (; paths.Add(path); path = path.Parent)
            {
            }
        }
    }

    /// <summary>The path an entry has in its version.</summary>
    public EntryPath OriginalOf(Entry entry) =>
        !IsDirectory || entry.Path.IsRoot ? path
        : path.IsRoot ? entry.Path
        : EntryPath.Parse([.. path.Bytes, (byte)'/', .. entry.Path.Bytes]);
}
