using System.Security.Cryptography;
using Mirror.Store.Manifests;
using Mirror.Store.Slots;
using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>
/// Materialises a version beside its destination and renames it there when every file was written with the right hash: a destination is whole or was never there.
/// </summary>
internal sealed class Restorer(PackCatalogue catalogue, Func<ContentSources> current, IStoreDisk disk)
{
    /// <param name="explain">Ends an error about missing contents: what can still be had.</param>
    public async Task RunAsync(
        VersionRecord version, Manifest manifest, string destination, Func<string> explain, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        destination = Path.TrimEndingDirectorySeparator(Path.GetFullPath(destination));
        RefuseDestination(destination);
        var partial = $"{destination}.partial-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";
        try
        {
            var tree = Path.Combine(partial, "tree");
            var scratch = Path.Combine(partial, "scratch");
            disk.CreateDirectory("restore: create", tree);
            disk.CreateDirectory("restore: create scratch", scratch);
            await WriteTreeAsync(version, manifest, tree, scratch, explain, progress, cancellation);
            cancellation.ThrowIfCancellationRequested();
            disk.Rename("restore: rename", tree, destination);
            disk.SyncDirectory("restore: sync directory", Path.GetDirectoryName(destination)!);
        }
        catch (IOException error)
        {
            throw new StoreException($"Version {version.Id} could not be restored to {destination}: {error.Message} Nothing was left there.", error);
        }
        finally
        {
            disk.DeleteTree("restore: clean up", partial);
        }
    }

    private async Task WriteTreeAsync(
        VersionRecord version, Manifest manifest, string tree, string scratch, Func<string> explain, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        using var reader = new ContentReader(catalogue, current, scratch);
        var missing = manifest.Entries.Where(entry => entry is { Type: EntryType.File, HardlinkOf: null, Size: > 0 } && !reader.Has(entry.Hash)).ToList();
        if (missing.Count > 0)
        {
            throw Unreachable(version, missing[0], missing.Count, explain);
        }

        using var writer = new TreeWriter(tree);
        var written = new Dictionary<ContentHash, EntryPath>();
        var done = 0L;
        foreach (var entry in manifest.Entries)
        {
            cancellation.ThrowIfCancellationRequested();
            if (entry.Type != EntryType.File || entry.HardlinkOf is not null)
            {
                writer.Put(entry);
                continue;
            }

            using (var file = writer.BeginFile(entry))
            {
                if (!await WriteFileAsync(reader, tree, written, entry, file.Content, cancellation))
                {
                    throw Unreachable(version, entry, 1, explain);
                }

                file.Commit();
            }

            written.TryAdd(entry.Hash, entry.Path);
            done += entry.Size;
            progress?.Report(new StoreProgress($"restoring {version.Id}", done, manifest.TotalBytes));
        }

        writer.FinishDirectories(manifest.Entries.Where(entry => entry.Type == EntryType.Directory));
        disk.Change("restore: sync", writer.Sync);
    }

    private static async Task<bool> WriteFileAsync(
        ContentReader reader, string tree, Dictionary<ContentHash, EntryPath> written, Entry entry, Stream content, CancellationToken cancellation)
    {
        if (entry.Size == 0)
        {
            await VerifiedCopy.RunAsync(Stream.Null, content, entry.Hash, 0, entry.Path.ToString(), cancellation);
            return true;
        }

        if (written.TryGetValue(entry.Hash, out var twin))
        {
            await using var source = TreeScanner.OpenRead(tree, twin);
            await VerifiedCopy.RunAsync(source, content, entry.Hash, entry.Size, twin.ToString(), cancellation);
            return true;
        }

        return await reader.TryWriteAsync(entry.Hash, entry.Size, content, cancellation);
    }

    private StoreException Unreachable(VersionRecord version, Entry entry, int count, Func<string> explain) => new(
        $"Version {version.Id} cannot be restored: {count} of its contents {(count == 1 ? "is" : "are")} nowhere in this store, such as \"{entry.Path}\" ({entry.Hash})."
        + catalogue.DescribeDamage() + explain());

    public static void RefuseDestination(string destination)
    {
        var parent = Path.GetDirectoryName(destination);
        if (parent is null || !System.IO.Directory.Exists(parent))
        {
            throw new StoreException($"The destination {destination} has no parent directory. Create {parent ?? "another"} first.");
        }

        var info = new FileInfo(destination);
        if (info.LinkTarget is not null || info.Exists)
        {
            throw new StoreException($"The destination {destination} is not a directory. Name an absent or empty directory.");
        }

        if (System.IO.Directory.Exists(destination) && System.IO.Directory.EnumerateFileSystemEntries(destination).Any())
        {
            throw new StoreException($"The destination {destination} is not empty. Name an absent or empty directory; nothing there was touched.");
        }
    }
}
