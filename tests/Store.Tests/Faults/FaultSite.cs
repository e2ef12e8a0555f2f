using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Slots;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Tree;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Faults;

/// <summary>
/// A store and a live root in one directory that can be put back to an earlier state, and the versions and packs of a <see cref="VersionedSite"/>, which are not on that disk.
/// In memory where the machine allows it: tens of thousands of states are made and looked at.
/// </summary>
internal sealed class FaultSite : IDisposable
{
    private static readonly string[] ownNames = ["format", "lock", "slots", "current", "history", "manifests", "facts", "protected", "inbox", "outbox", "index.db", "index.db-wal", "index.db-shm"];

    private readonly VersionedSite site = new();
    private readonly Dictionary<string, string> packs = [];
    private readonly string home = Directory.CreateDirectory(
        Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"mirror-faults-{Guid.NewGuid():N}")).FullName;

    /// <summary>What is put back, cut off and looked at.</summary>
    public string Disk => Path.Combine(home, "disk");

    public string StoreDirectory => Path.Combine(Disk, "store");

    /// <summary>Where the site's files are for its apps.</summary>
    public string Root => Path.Combine(Disk, "root");

    public VersionedSite Site => site;

    /// <summary>Told of what others than the store wrote durably below a path.</summary>
    public Action<string>? Settled { get; set; }

    public VersionRecord Version(ulong sequence, ulong epoch = 1) => site.Versions.Single(version => version.Record.Id == new VersionId(epoch, sequence)).Record;

    /// <summary>Where versions are restored in place: a directory, and a single file.</summary>
    public string[] InPlace => [Path.Combine(Disk, "site"), Path.Combine(Disk, "single")];

    /// <summary>What the store that was opened last works through.</summary>
    public IStoreDisk DiskInUse { get; private set; } = new StoreDisk();

    public async Task<VersionStore> OpenAsync(IStoreDisk? disk = null)
    {
        DiskInUse = disk ?? new StoreDisk();
        var store = await VersionStore.OpenAsync(StoreDirectory, VersionedSite.Name, TimeProvider.System, DiskInUse, _ => false, CancellationToken.None);
        try
        {
            SettleInPlace(DiskInUse);
            return store;
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    /// <summary>What any command on a destination does first: a swap, a confirmation or an undoing that was interrupted is finished. One that was being written is left, to be run again.</summary>
    private void SettleInPlace(IStoreDisk disk)
    {
        foreach (var destination in InPlace)
        {
            var inPlace = new InPlaceRestore(destination, disk);
            if (inPlace.Find() is null)
            {
                inPlace.TidyUp();
            }
            else
            {
                using var own = inPlace.Lock();
                inPlace.Settle();
            }
        }
    }

    private string DescribeInPlace()
    {
        SettleInPlace(new StoreDisk());
        return string.Concat(InPlace.Where(Path.Exists).Select(destination =>
            $"{Path.GetFileName(destination)} is {Fingerprint(destination)}{(RestoresInPlace.Find(destination) is { Swapped: true, Previous: { } previous } ? $", kept {Fingerprint(previous)}" : "")}; "));
    }

    private static string Fingerprint(string path) => (Directory.Exists(path) ? TreeLiteral.ReadFrom(path).ToManifest().Root.ToString() : File.ReadAllText(path))[..8];

    public async Task<string> PackAsync(VersionRecord? from, VersionRecord to)
    {
        var name = $"{from?.Id ?? default}-{to.Id}";
        if (!packs.TryGetValue(name, out var path))
        {
            packs.Add(name, path = await site.PackAsync(from, to));
        }

        return path;
    }

    /// <summary>As a receiver would leave a pack: whole and synced.</summary>
    public async Task<string> ReceiveAsync(VersionStore store, VersionRecord? from, VersionRecord to)
    {
        var received = Path.Combine(store.InboxDirectory, $"{from?.Id ?? default}-{to.Id}.pack");
        File.Copy(await PackAsync(from, to), received, overwrite: true);
        Settled?.Invoke(received);
        return received;
    }

    /// <summary>As an app would: the tree at a path becomes another, durably.</summary>
    public void Rewrite(string path, TreeLiteral tree)
    {
        Clear(path);
        tree.WriteTo(path);
        Settled?.Invoke(path);
    }

    public void Clear(string directory)
    {
        if (!Directory.Exists(directory))
        {
            return;
        }

        var tops = new List<EntryPath>();
        var scan = TreeScanner.Scan(directory, (path, _) =>
        {
            tops.Add(path);
            return true;
        }, CancellationToken.None);
        using var writer = new TreeWriter(directory);
        foreach (var path in tops.Concat(scan.Skipped.Select(static skipped => skipped.Path)))
        {
            writer.Remove(path);
        }
    }

    /// <summary>All that the store says of itself and all that others see of it, but not by which slot it does so.</summary>
    public string Digest(VersionStore store)
    {
        var versions = store.Versions.Select(version => $"{version.Record.Id} \"{version.Note.Split(':')[0]}\"");
        var history = Directory.EnumerateFiles(Path.Combine(StoreDirectory, "history")).Select(Path.GetFileName).Order(StringComparer.Ordinal);
        return $"head {store.Head?.Id}; current {store.Current?.Id}; {(store.IsHeadCurrent ? "" : "waiting; ")}"
            + $"{(store.Live is { } live ? $"live {(live.Slot == "live" ? "root" : "slot")}; " : "")}versions {string.Join(", ", versions)}; history {string.Join(", ", history)}; "
            + $"{(File.Exists(Path.Combine(StoreDirectory, "protected")) ? File.ReadAllText(Path.Combine(StoreDirectory, "protected")).Trim() + "; " : "")}{DescribeInPlace()}root {(new FileInfo(Root).LinkTarget is not null ? "linked" : "its own")}";
    }

    /// <summary>What is current is exactly its version, every version that is called restorable is restored bit by bit, the others are refused, and nothing lies about.</summary>
    /// <param name="trusted">False while the scenario has damaged the current tree.</param>
    /// <returns>What was restored; nothing while an app may be changing what is there.</returns>
    public async Task<HashSet<VersionId>> AssertSoundAsync(VersionStore store, bool trusted)
    {
        var restored = new HashSet<VersionId>();
        if (trusted)
        {
            if (store is { Current: { } current, Live: null })
            {
                TreeAssert.Holds(site.TreeOf(current.Id), store.CurrentLink);
                TreeAssert.Holds(site.TreeOf(store.Head!.Id), store.HeadTree);
            }

            await VersionedSite.AssertCleanAsync(store);
        }

        foreach (var version in store.Versions)
        {
            if (await IsRestoredAsync(store, version, trusted && store.Live is null))
            {
                restored.Add(version.Record.Id);
            }
        }

        AssertNothingLeft();
        return store.Live is null ? restored : [];
    }

    /// <param name="mayStay">A name in the store that may be there.</param>
    public void AssertNothingLeft(string? mayStay = null)
    {
        var slots = Path.Combine(StoreDirectory, "slots");
        var odd = Directory.EnumerateFileSystemEntries(Disk).Where(path => Path.GetFileName(path) is not ("store" or "root" or "site" or "single") && !IsPendingInPlace(path) && !Path.GetFileName(path).StartsWith("restored", StringComparison.Ordinal))
            .Concat(Directory.EnumerateFileSystemEntries(StoreDirectory).Where(path => !ownNames.Contains(Path.GetFileName(path)) && Path.GetFileName(path) != mayStay))
            .Concat(Directory.EnumerateFileSystemEntries(slots).Where(path => Path.GetFileName(path) is not ("a" or "b" or "a.version" or "b.version")))
            .Concat(Directory.EnumerateFiles(slots).Where(path => path.EndsWith(".version", StringComparison.Ordinal) && !Directory.Exists(path[..^".version".Length])))
            .Concat(new[] { "history", "manifests" }.SelectMany(name => Directory.EnumerateFiles(Path.Combine(StoreDirectory, name))).Where(path => !path.EndsWith(".pack", StringComparison.Ordinal)))
            .ToList();
        Assert.True(odd.Count == 0, $"left behind: {string.Join(", ", odd)}");
    }

    /// <summary>A copy of the disk, as a process that is killed now would leave it.</summary>
    public void KeepAsKilled() => Shell.Run("rm -rf \"$2\" && cp -a \"$1\" \"$2\"", Disk, Killed);

    public void PutBackKilled() => Shell.Run("rm -rf \"$1\" && cp -a \"$2\" \"$1\" && rm -rf \"$2\"", Disk, Killed);

    private string Killed => Path.Combine(home, "killed");

    private bool IsPendingInPlace(string path) => InPlace.Any(destination => Path.GetFileName(path) == $".mirror-restore-{Path.GetFileName(destination)}" && RestoresInPlace.Find(destination) is not null);

    public void Dispose()
    {
        Clear(home);
        Directory.Delete(home);
        site.Dispose();
    }

    private async Task<bool> IsRestoredAsync(VersionStore store, KeptVersion version, bool trusted)
    {
        var destination = Path.Combine(home, "look");
        Exception? refused = null;
        try
        {
            await store.RestoreAsync(version.Record.Id, destination, null, CancellationToken.None);
            TreeAssert.Holds(site.TreeOf(version.Record.Id), destination);
        }
        catch (StoreException error)
        {
            refused = error;
        }

        Clear(destination);
        if (Directory.Exists(destination))
        {
            Directory.Delete(destination);
        }

        // What a damaged or a live tree has no longer is known only when somebody has read it.
        Assert.True(!trusted || !version.Restorable || refused is null, $"{version.Record.Id} is called restorable, but: {refused?.Message}");
        return refused is null;
    }
}
