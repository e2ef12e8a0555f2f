using Mirror.Store.Manifests;
using Mirror.Store.Slots;
using Mirror.Store.Versions;

namespace Mirror.Store.Rebuilding;

/// <summary>
/// Where a store's index is opened: the one that is there, if it can be believed; else one rebuilt. What cannot be believed is set aside under another name and never
/// deleted. Order: everything is found out first, then the old one makes way, then the new one, whole and durable, gets its name. An end anywhere leaves a store without
/// an index, or with the right one.
/// </summary>
internal sealed class IndexFile(string directory, string site, IStoreDisk disk, Func<EntryPath, bool> isPrivate, IProgress<StoreProgress>? progress, CancellationToken cancellation)
{
    // The log of an index belongs to it: left behind, it would be taken in by whatever comes under its name.
    private static readonly string[] parts = ["", "-wal", "-shm", "-journal", ".suspect"];

    private readonly string path = Path.Combine(directory, "index.db");
    private readonly SlotPair slots = new(directory, disk);
    private readonly Journal journal = new(directory, disk);

    /// <summary>What had to be done that a person must know.</summary>
    public List<string> Remarks { get; } = [];

    /// <exception cref="StoreException">Of another site or a newer program; or it cannot be believed, and none can be made.</exception>
    public (VersionIndex Index, IndexContents Contents) Open()
    {
        if (TryOpen(() => VersionIndex.Open(path), out var fault) is { } whole)
        {
            return whole;
        }

        var rebuilt = Rebuild();
        SetAside(fault);
        if (rebuilt.Interrupted is JournalPhase.Thinning)
        {
            // The new index knows every pack that can be read, old and new. One that cannot be read now is not deleted because it was part of an exchange.
            journal.Clear();
        }

        Write(rebuilt.Contents);
        Say(rebuilt, fault);
        return Loaded(VersionIndex.Open(path));
    }

    /// <summary>The same, and writes only to <paramref name="scratch"/>.</summary>
    public (VersionIndex Index, IndexContents Contents) OpenToRead(string scratch)
    {
        if (TryOpenToRead(scratch, out var fault) is { } whole)
        {
            return whole;
        }

        var rebuilt = Rebuild();
        var made = Path.Combine(VersionIndex.MakeScratch(scratch), "rebuilt.db");
        VersionIndex.Create(made, rebuilt.Contents);
        Say(rebuilt, fault);
        return Loaded(VersionIndex.OpenToRead(made, scratch));
    }

    /// <summary>Null when there is no index, or none that can be believed.</summary>
    public (VersionIndex Index, IndexContents Contents)? TryOpenToRead(string scratch, out string? fault) => TryOpen(() => VersionIndex.OpenToRead(path, scratch), out fault);

    private static (VersionIndex, IndexContents) Loaded(VersionIndex index)
    {
        try
        {
            return (index, index.Load());
        }
        catch
        {
            index.Dispose();
            throw;
        }
    }

    private (VersionIndex, IndexContents)? TryOpen(Func<VersionIndex> open, out string? fault)
    {
        fault = null;
        if (!File.Exists(path))
        {
            return null;
        }

        VersionIndex? index = null;
        try
        {
            index = File.Exists(VersionIndex.SuspicionOf(path)) ? throw new IndexDamagedException("it was found damaged while it was in use") : open();
            var contents = index.Load();
            if (contents.Site != site)
            {
                throw new StoreException($"The store {directory} belongs to the site \"{contents.Site}\", not to \"{site}\". Name another directory.");
            }

            RefuseUnfit(contents);
            return (index, contents);
        }
        catch (IndexDamagedException damaged)
        {
            index?.Dispose();
            fault = damaged.Message;
            return null;
        }
        catch
        {
            index?.Dispose();
            throw;
        }
    }

    /// <summary>An index may be whole and yet not of this store: one put back from a backup is older than slots and packs.</summary>
    private void RefuseUnfit(IndexContents contents)
    {
        if (File.Exists(journal.Path))
        {
            // What does not fit is what was interrupted.
            return;
        }

        try
        {
            StoreState.From(contents, slots.ReadCurrent(), directory);
        }
        catch (UnfitIndexException unfit)
        {
            throw new IndexDamagedException(unfit.Message, unfit);
        }

        foreach (var (slot, version) in contents.Mode == StoreMode.Holding ? contents.Slots : new Dictionary<string, VersionId>())
        {
            if (slots.ReadMarker(slot) is { } marker && marker.Version != version.ToString())
            {
                throw new IndexDamagedException($"it says that slot {slot} holds {version}; the slot itself says {marker.Version}");
            }
        }

        // The trail is written first, so it may be ahead by what was interrupted.
        if (new ManifestTrail(directory, site).CountAfter(contents.Head) > 1)
        {
            throw new IndexDamagedException($"it ends with {contents.Head}, and newer versions were here");
        }
    }

    private Rebuilt Rebuild() => IndexRebuild.Run(directory, site, slots, journal, isPrivate, progress, cancellation);

    private void SetAside(string? fault)
    {
        if (parts.All(part => !File.Exists(path + part)))
        {
            return;
        }

        var number = 1;
        while (parts.Any(part => File.Exists(Aside(number) + part)))
        {
            number++;
        }

        foreach (var part in parts.Where(part => File.Exists(path + part)))
        {
            disk.Rename("rebuild: set aside", path + part, Aside(number) + part);
        }

        disk.SyncDirectory("rebuild: sync set aside", directory);
        Remarks.Add($"{path} {(fault is null ? "was gone; what was left of it" : $"could not be believed ({fault.TrimEnd('.')}) and")} is kept as {Aside(number)}: delete it when nobody wants to look at it.");
    }

    private string Aside(int number) => Path.Combine(directory, $"index.damaged-{number}.db");

    private void Write(IndexContents contents)
    {
        var made = path + ".new";
        foreach (var part in parts)
        {
            disk.DeleteFile("rebuild: clear the way", made + part);
        }

        disk.Change("rebuild: write index", () => VersionIndex.Create(made, contents));
        disk.Rename("rebuild: rename index", made, path);
        disk.SyncDirectory("rebuild: sync directory", directory);
    }

    private void Say(Rebuilt rebuilt, string? fault)
    {
        if (rebuilt.IsNew && fault is null)
        {
            return;
        }

        var contents = rebuilt.Contents;
        Remarks.Add(
            $"The index of {directory} {(fault is null ? "was gone" : "was damaged")} and was rebuilt from packs and trees: {contents.Versions.Count} version(s), "
            + $"the newest {(contents.Head.IsNone ? "none" : contents.Head)}, {contents.Packs.Count} pack(s). "
            + "Times of arrival are those of the packs' files; what is captured next is read whole once, since it is no longer known what did not change.");
        Remarks.AddRange(rebuilt.Remarks);
    }
}
