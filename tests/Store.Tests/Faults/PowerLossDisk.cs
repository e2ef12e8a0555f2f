using System.Collections.Immutable;
using System.Text;
using Mirror.Store.Manifests;
using Mirror.Store.Slots;
using Mirror.Store.Tree;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Faults;

/// <summary>A name in a directory, which is known by its inode.</summary>
internal readonly record struct NameKey(ulong Directory, string Name);

/// <summary>What a name led to from the change with this number on; no inode where it went.</summary>
internal readonly record struct NameValue(ulong? Inode, long Number);

/// <summary>Changes of names that reach the disk together or not at all: those of one rename.</summary>
internal sealed record NameChange(ImmutableArray<(NameKey Name, NameValue Value)> Parts);

/// <summary>A moment at which the power may go: what is surely on the disk, and what may be.</summary>
/// <param name="Step">Steps of the scenario that were done.</param>
/// <param name="Between">No step was under way.</param>
internal sealed record CrashPoint(
    string After, int Step, bool Between, ulong Root,
    ImmutableDictionary<NameKey, NameValue> Names, ImmutableDictionary<ulong, TreeInode> Inodes,
    ImmutableList<NameChange> PendingNames, ImmutableDictionary<ulong, TreeInode> LatestInodes,
    ImmutableDictionary<string, byte[]> Index);

/// <summary>
/// The real disk, watched: after each operation the tree is looked at, and what changed counts as lost in a power cut until it is synced. A file's content and metadata are kept by a
/// sync of the file; a directory's names by a sync of the directory; both by a sync of the file system. A rename is kept whole or not at all. The index
/// is taken as SQLite promises it: every commit whole and durable when it returns, and nothing of an unfinished one.
/// </summary>
/// <remarks>What one operation does inside is seen by its outcome, of which any part may be lost.</remarks>
internal sealed class PowerLossDisk : IStoreDisk
{
    private static readonly string[] indexFiles = ["index.db", "index.db-wal"];

    private readonly StoreDisk real = new();
    private readonly string root;
    private readonly string store;
    private ImmutableDictionary<NameKey, NameValue> names = ImmutableDictionary<NameKey, NameValue>.Empty;
    private ImmutableDictionary<ulong, TreeInode> inodes = ImmutableDictionary<ulong, TreeInode>.Empty;
    private ImmutableDictionary<NameKey, NameValue> latestNames = ImmutableDictionary<NameKey, NameValue>.Empty;
    private ImmutableDictionary<ulong, TreeInode> latestInodes = ImmutableDictionary<ulong, TreeInode>.Empty;
    private ImmutableList<NameChange> pending = [];
    private ImmutableDictionary<string, byte[]> index = ImmutableDictionary<string, byte[]>.Empty;
    private Dictionary<EntryPath, ulong> places = [];
    private ulong rootInode;
    private long changes;
    private int step;

    /// <param name="root">Everything in it is on the disk now.</param>
    /// <param name="store">The store's directory, somewhere in it.</param>
    public PowerLossDisk(string root, string store)
    {
        this.root = root;
        this.store = store;
        Observe();
        KeepAll();
        KeepIndex();
    }

    public List<CrashPoint> Points { get; } = [];

    public void StepDone(int number)
    {
        step = number;
        if (number == 0)
        {
            KeepIndex();
        }

        Observe();
        Points.Add(Here($"step {number}", between: true));
    }

    /// <summary>Others than the store wrote here, and synced it.</summary>
    public void Settle(string path)
    {
        Observe();
        var at = Inside(path)!.Value;
        foreach (var (place, inode) in places.Where(pair => pair.Key.IsWithin(at)))
        {
            inodes = inodes.SetItem(inode, latestInodes[inode]);
            KeepNames(key => key.Directory == inode);
        }

        var parent = places[at.Parent];
        var name = Encoding.Latin1.GetString(at.Name);
        KeepNames(key => key.Directory == parent && key.Name == name);
    }

    public void CreateDirectory(string op, string path, bool passable) => Run(op, () => real.CreateDirectory(op, path, passable));

    public void WriteFile(string op, string path, ReadOnlySpan<byte> content)
    {
        var bytes = content.ToArray();
        Run(op, () => real.WriteFile(op, path, bytes), () => KeepFile(path));
    }

    public void Rename(string op, string from, string to) => Run(op, () => real.Rename(op, from, to), together: true);

    public void CreateLink(string op, string path, string target) => Run(op, () => real.CreateLink(op, path, target));

    public void DeleteFile(string op, string path) => Run(op, () => real.DeleteFile(op, path));

    public void DeleteTree(string op, string path) => Run(op, () => real.DeleteTree(op, path));

    public void SyncDirectory(string op, string path) => Run(op, () => { }, () =>
    {
        if (Inside(path) is { } at)
        {
            var directory = places[at];
            KeepNames(key => key.Directory == directory);
            inodes = inodes.SetItem(directory, latestInodes[directory]);
        }
    });

    public void SyncFile(string op, FileStream file) => Run(op, file.Flush, () => KeepFile(file.Name));

    public void Change(string op, Action change) => Run(op, change, () =>
    {
        if (op.EndsWith(": sync", StringComparison.Ordinal))
        {
            KeepAll();
        }

        if (op.EndsWith(": commit", StringComparison.Ordinal))
        {
            KeepIndex();
        }
    });

    public async Task ChangeAsync(string op, Func<Task> change)
    {
        await change();
        Run(op, () => { });
    }

    private void Run(string op, Action operation, Action? kept = null, bool together = false)
    {
        operation();
        Observe(together);
        kept?.Invoke();
        Points.Add(Here(op, between: false));
    }

    private CrashPoint Here(string after, bool between) => new(after, step, between, rootInode, names, inodes, pending, latestInodes, index);

    /// <summary>Finds out what changed since the last look.</summary>
    private void Observe(bool together = false)
    {
        var seenNames = ImmutableDictionary.CreateBuilder<NameKey, NameValue>();
        var seen = new HashSet<ulong>();

        // An inode whose last name went may still be found under it, when that change is lost.
        var seenInodes = latestInodes.ToBuilder();
        places = [];
        foreach (var (entry, stat) in TreeScanner.Scan(root, IsIndex, CancellationToken.None).Entries)
        {
            places.Add(entry.Path, stat.Inode);
            if (entry.Path.IsRoot)
            {
                rootInode = stat.Inode;
            }
            else
            {
                var key = new NameKey(places[entry.Path.Parent], Encoding.Latin1.GetString(entry.Path.Name));
                var known = latestNames.TryGetValue(key, out var before) && before.Inode == stat.Inode;
                seenNames.Add(key, known ? before : new NameValue(stat.Inode, ++changes));
            }

            if (seen.Add(stat.Inode))
            {
                var content = entry.Type == EntryType.File ? Read(entry.Path) : [];
                var inode = new TreeInode(entry, content);
                seenInodes[stat.Inode] = latestInodes.TryGetValue(stat.Inode, out var same) && same.Metadata == inode.Metadata && same.Content.AsSpan().SequenceEqual(content) ? same : inode;
            }
        }

        var parts = latestNames.Keys.Where(key => !seenNames.ContainsKey(key)).Select(key => (key, new NameValue(null, ++changes)))
            .Concat(seenNames.Where(pair => !latestNames.TryGetValue(pair.Key, out var before) || before != pair.Value).Select(pair => (pair.Key, pair.Value)))
            .ToImmutableArray();
        pending = together ? (parts.IsEmpty ? pending : pending.Add(new NameChange(parts))) : pending.AddRange(parts.Select(part => new NameChange([part])));
        latestNames = seenNames.ToImmutable();
        latestInodes = seenInodes.ToImmutable();
    }

    private bool IsIndex(EntryPath path, EntryType type) => path.Name.StartsWith("index.db"u8);

    private void KeepNames(Func<NameKey, bool> which)
    {
        foreach (var change in pending.Where(change => change.Parts.Any(part => which(part.Name))))
        {
            names = Applied(names, change);
            pending = pending.Remove(change);
        }
    }

    public static ImmutableDictionary<NameKey, NameValue> Applied(ImmutableDictionary<NameKey, NameValue> names, NameChange change)
    {
        foreach (var (name, value) in change.Parts)
        {
            // Of two changes of one name the later one counts, in whichever order they reach the disk.
            if (!names.TryGetValue(name, out var there) || there.Number < value.Number)
            {
                names = names.SetItem(name, value);
            }
        }

        return names;
    }

    private void KeepFile(string path)
    {
        if (Inside(path) is { } at)
        {
            inodes = inodes.SetItem(places[at], latestInodes[places[at]]);
        }
    }

    private void KeepAll()
    {
        KeepNames(_ => true);
        inodes = latestInodes;
    }

    private void KeepIndex() => index = indexFiles.Where(name => File.Exists(Path.Combine(store, name)))
        .ToImmutableDictionary(name => name, name => Read(Inside(Path.Combine(store, name))!.Value));

    /// <summary>Without asking for the locks that the store holds.</summary>
    private byte[] Read(EntryPath path)
    {
        using var file = TreeScanner.OpenRead(root, path);
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }

    private EntryPath? Inside(string path)
    {
        var relative = Path.GetRelativePath(root, path);
        return relative == "." ? EntryPath.Root : relative.StartsWith("..", StringComparison.Ordinal) ? null : EntryPath.Parse(relative);
    }
}
