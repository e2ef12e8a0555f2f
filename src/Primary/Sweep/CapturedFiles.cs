using Mirror.Primary.Capture;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Primary.Sweep;

/// <summary>A file as it was captured last.</summary>
internal readonly record struct CapturedFile(Entry Entry, StatKey Stat);

/// <summary>Some files, and what there is in all to be read.</summary>
internal sealed record CapturedBatch(IReadOnlyList<CapturedFile> Files, long TotalBytes, int TotalFiles);

/// <summary>
/// What the store knows of the files of a live tree. A capture changes that, so whoever asks waits for the turn that captures take, and gives it back at once.
/// </summary>
internal sealed class CapturedFiles(VersionStore store, SemaphoreSlim turn)
{
    /// <summary>The next files in manifest order whose stat is known: none at the end. One that was being written when it was captured is looked at again by the next capture.</summary>
    public async Task<CapturedBatch> AfterAsync(EntryPath position, int most, CancellationToken cancellation)
    {
        await turn.WaitAsync(cancellation);
        try
        {
            var files = new List<CapturedFile>(most);
            foreach (var entry in store.HeadManifest.After(position))
            {
                if (Find(entry) is { } file)
                {
                    files.Add(file);
                    if (files.Count == most)
                    {
                        break;
                    }
                }
            }

            return new CapturedBatch(files, store.HeadManifest.TotalBytes, store.HeadManifest.Entries.Count);
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Whether a file is still known as it was: no capture saw it change since.</summary>
    public async Task<bool> IsStillSoAsync(EntryPath path, ContentHash hash, StatKey stat, CancellationToken cancellation)
    {
        await turn.WaitAsync(cancellation);
        try
        {
            return store.HeadManifest.Find(path) is { } entry && Find(entry) is { } now && now.Entry.Hash == hash && now.Stat == stat;
        }
        finally
        {
            turn.Release();
        }
    }

    private CapturedFile? Find(Entry entry) =>
        entry is { Type: EntryType.File, HardlinkOf: null, Unstable: false } && !CaptureSource.IsReserved(entry.Path) && store.StatKeys.TryGetValue(entry.Path, out var stat)
            ? new CapturedFile(entry, stat)
            : null;
}
