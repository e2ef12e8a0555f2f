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
    public static RestorePart Of(Manifest manifest, VersionId version, EntryPath path)
    {
        if (path.IsRoot)
        {
            return new RestorePart(path, isDirectory: true, manifest.Entries);
        }

        var top = manifest.Find(path)
            ?? throw new StoreException($"Version {version} has no \"{path}\". `mirror show` lists what it has, `mirror find` in which versions a path is.");
        if (top.Type != EntryType.Directory)
        {
            return new RestorePart(path, isDirectory: false, [top with { Path = SingleName, HardlinkOf = null }]);
        }

        var entries = new List<Entry>();
        var leaders = new Dictionary<EntryPath, EntryPath>();
        foreach (var entry in manifest.Entries.Where(entry => entry.Path.IsWithin(path)))
        {
            var here = entry.Path == path ? EntryPath.Root : EntryPath.Parse(entry.Path.Bytes[(path.Bytes.Length + 1)..]);
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

    /// <summary>The path an entry has in its version.</summary>
    public EntryPath OriginalOf(Entry entry) =>
        !IsDirectory || entry.Path.IsRoot ? path
        : path.IsRoot ? entry.Path
        : EntryPath.Parse([.. path.Bytes, (byte)'/', .. entry.Path.Bytes]);
}
