using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Capture.Databases;

/// <summary>
/// The dumps of the version captured last, each under its content's hash, so that the next dump is compared with it byte by byte. Rows that an update moved are found
/// then, which block signatures alone miss; a dump's delta gets several times smaller. It costs the room of the dumps once more, and is given up where the disk is short of that.
/// </summary>
internal sealed class DumpBases
{
    /// <summary>Smaller ones have no signature, and are sent whole.</summary>
    private const long smallest = 16 << 10;

    private readonly string spool;
    private readonly string directory;

    /// <param name="spool">Where the dumps are made. What is kept lies beside it.</param>
    public DumpBases(string spool)
    {
        this.spool = spool;
        directory = spool.TrimEnd(Path.DirectorySeparatorChar) + ".before";
    }

    /// <summary>The content, at its start; null when it was not kept.</summary>
    public FileStream? Open(ContentHash hash)
    {
        try
        {
            return new FileStream(PathOf(hash), new FileStreamOptions { BufferSize = 0, Share = FileShare.Read | FileShare.Delete });
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Keeps the dumps of a version that was just captured, and nothing else. The spool still holds them.</summary>
    /// <param name="stats">Gets what the spool's files look like now: a second name touches a file's ctime, and nobody else writes there.</param>
    public void Keep(Manifest manifest, IDictionary<EntryPath, StatKey> stats)
    {
        Keep(manifest);
        foreach (var entry in DumpsOf(manifest))
        {
            if (TreeScanner.Stat(spool, CaptureSource.WithinDumps(entry.Path)) is { } stat && (!stats.TryGetValue(entry.Path, out var before) || stat with { CtimeNs = before.CtimeNs } == before))
            {
                stats[entry.Path] = stat;
            }
        }
    }

    private static IEnumerable<Entry> DumpsOf(Manifest manifest)
    {
        var (start, end) = CaptureSource.ReservedIn(manifest);
        return Enumerable.Range(start, end - start).Select(at => manifest.Entries[at]).Where(entry => entry.Type == EntryType.File && CaptureSource.IsDump(entry.Path));
    }

    private void Keep(Manifest manifest)
    {
        var dumps = DumpsOf(manifest).Where(entry => entry.Size >= smallest)
            .DistinctBy(entry => entry.Hash).ToList();
        // A dump is replaced by a rename: what has a second name here lives on, unchanged.
        if (dumps.Count > 0 && new DriveInfo(spool).AvailableFreeSpace < 2 * dumps.Sum(entry => entry.Size))
        {
            dumps.Clear();
        }

        if (dumps.Count == 0 && !Directory.Exists(directory))
        {
            return;
        }

        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var kept = dumps.ToDictionary(entry => PathOf(entry.Hash), StringComparer.Ordinal);
        foreach (var stray in Directory.GetFiles(directory).Where(path => !kept.ContainsKey(path)))
        {
            File.Delete(stray);
        }

        foreach (var (path, entry) in kept.Where(pair => !File.Exists(pair.Key)))
        {
            HardLink.Create(CaptureSource.InSpool(spool, entry.Path), path);
        }
    }

    /// <summary>Gives the room back: this node captures no more.</summary>
    public void Forget()
    {
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private string PathOf(ContentHash hash) => Path.Combine(directory, hash.ToString());
}
