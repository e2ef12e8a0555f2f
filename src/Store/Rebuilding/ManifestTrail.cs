using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Slots;
using Mirror.Store.Versions;

namespace Mirror.Store.Rebuilding;

/// <summary>
/// The head's manifest a second time, as packs without contents: one from nothing, and one more for each version after it. The index has the manifest too; without it
/// nothing else would lead to the newest version (history leads away from it), and a tree that apps write in cannot be asked. When the steps outgrow the beginning,
/// a new beginning takes their place: what a version costs here goes by what it changed.
/// </summary>
internal sealed class ManifestTrail(string directory, string site)
{
    private const long LeastBytes = 64 * 1024;
    private const int MostSteps = 1000;
    private List<PackRow>? known;

    public string Directory { get; } = Path.Combine(directory, "manifests");

    private List<PackRow> Rows => known ??= [.. Found()];

    public bool LeadsTo(VersionRecord version) => Reached().GetValueOrDefault(version.Id) is { } last && RecordOf(last) == version;

    /// <summary>Null when the trail does not lead there, or a step cannot be read.</summary>
    public Manifest? Find(VersionRecord version) =>
        new ManifestGraph(new PackCatalogue(Directory), Rows, default, Manifest.Empty).Find(version.Id, version.Root);

    /// <summary>How many versions it leads to that come after this one.</summary>
    public int CountAfter(VersionId version) => Reached().Keys.Count(id => id > version);

    /// <param name="from">The head before; null for none.</param>
    /// <param name="manifest">All of the new head's manifest; asked for only when a new beginning is made.</param>
    public void Append(IStoreDisk disk, VersionRecord? from, VersionRecord to, Func<PackChanges> changes, Func<Manifest> manifest)
    {
        if (LeadsTo(to))
        {
            return;
        }

        if (from is not null && from.Id != to.Id && !IsTooLong() && LeadsTo(from))
        {
            Write(disk, new PackHeader(site, from.Id, from.Root, to.Id, Partial: true), to, changes());
        }
        else
        {
            Begin(disk, to, manifest());
        }
    }

    /// <summary>A new beginning; what led elsewhere is of no use any more.</summary>
    public void Begin(IStoreDisk disk, VersionRecord version, Manifest manifest)
    {
        var first = Write(disk, new PackHeader(site, default, default, version.Id, Partial: true), version, PackChanges.Plain(new ManifestDelta(manifest.Entries, [])));
        Remove(disk, row => row != first);
    }

    /// <summary>Versions that were taken back, or never came to be.</summary>
    public void ForgetAfter(IStoreDisk disk, VersionId head) => Remove(disk, row => row.To > head || row.From > head);

    private bool IsTooLong()
    {
        var steps = Rows.Where(row => !row.From.IsNone).ToList();
        return steps.Count >= MostSteps || steps.Sum(row => row.Bytes) > Math.Max(LeastBytes, Rows.Where(row => row.From.IsNone).Sum(row => row.Bytes));
    }

    private PackRow Write(IStoreDisk disk, PackHeader header, VersionRecord version, PackChanges changes)
    {
        var row = new PackRow(header.From, header.To, PackCatalogue.FileName(header.From, header.To), Partial: true, Bytes: 0);
        var path = Path.Combine(Directory, row.File);
        using (var file = new FileStream(path + ".tmp", new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.ReadWrite,
            BufferSize = 64 * 1024,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            disk.Change("manifests: write", () => WriteAsync(file, header, version, changes).GetAwaiter().GetResult());
            row = row with { Bytes = file.Length };
            disk.SyncFile("manifests: sync file", file);
        }

        disk.Rename("manifests: rename", path + ".tmp", path);
        disk.SyncDirectory("manifests: sync directory", Directory);
        Rows.RemoveAll(other => other.File == row.File);
        Rows.Add(row);
        return row;
    }

    private static async Task WriteAsync(FileStream file, PackHeader header, VersionRecord version, PackChanges changes)
    {
        await using var pack = new PackWriter(file, header);
        await pack.CompleteAsync(version, changes, CancellationToken.None);
    }

    private void Remove(IStoreDisk disk, Predicate<PackRow> which)
    {
        var doomed = Rows.FindAll(which);
        foreach (var row in doomed)
        {
            disk.DeleteFile("manifests: delete", Path.Combine(Directory, row.File));
            Rows.Remove(row);
        }

        if (doomed.Count > 0)
        {
            // One that came back after a power cut would tell of versions that were taken back.
            disk.SyncDirectory("manifests: sync deletions", Directory);
        }
    }

    /// <summary>The versions some way leads to from nothing, by the names of the files, each with the last step of its way.</summary>
    private Dictionary<VersionId, PackRow> Reached()
    {
        var reached = new Dictionary<VersionId, PackRow>();
        var queue = new Queue<VersionId>([default]);
        var steps = Rows.ToLookup(row => row.From);
        while (queue.TryDequeue(out var from))
        {
            foreach (var row in steps[from].Where(row => reached.TryAdd(row.To, row)))
            {
                queue.Enqueue(row.To);
            }
        }

        return reached;
    }

    private VersionRecord? RecordOf(PackRow row)
    {
        try
        {
            using var pack = PackReader.Open(Path.Combine(Directory, row.File));
            return pack.Header.From == row.From ? pack.Version : null;
        }
        catch (Exception error) when (error is PackFormatException or FileNotFoundException)
        {
            // A step that leads nowhere: the way is begun anew.
            return null;
        }
    }

    /// <summary>The newest version that a file here is named after, whether it can be read or not; none when there is no file.</summary>
    public VersionId Newest => Rows.Select(row => row.To).DefaultIfEmpty().Max();

    private IEnumerable<PackRow> Found()
    {
        if (!System.IO.Directory.Exists(Directory))
        {
            yield break;
        }

        foreach (var file in new DirectoryInfo(Directory).EnumerateFiles("*.pack"))
        {
            var ends = Path.GetFileNameWithoutExtension(file.Name).Split('-');
            if (ends.Length == 2 && VersionId.TryParse(ends[0], out var from) && VersionId.TryParse(ends[1], out var to) && !to.IsNone)
            {
                yield return new PackRow(from, to, file.Name, Partial: true, file.Length);
            }
        }
    }
}
