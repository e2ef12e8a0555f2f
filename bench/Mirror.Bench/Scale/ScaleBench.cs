using System.Globalization;
using System.Security.Cryptography;
using Mirror.Bench.Measuring;
using Mirror.Bench.Workloads;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Bench.Scale;

/// <summary>
/// What a version costs a replica when the tree is large, when the history is long and when a file is. Each work is done at several sizes: a cost that grows with the
/// tree or with the history would show between two rows. Times are of staging and flipping, packs are made outside of them; medians.
/// </summary>
internal sealed class ScaleBench(WorkOptions options, TextWriter output, TextWriter talk)
{
    private const int ChangedFiles = 10;
    private const int FilesInFolder = 500;
    private const int MeasuredVersions = 25;

    private readonly Table table = new("work", "size", "first version", "open again", "ms a version", "slowest", "allocated a version", "the oldest back", "peak memory") { Live = output };

    /// <summary>Each row is written as soon as it was measured.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        foreach (var files in new[] { 10_000, 100_000, 1_000_000 }.Select(Scaled))
        {
            await InOwnFolderAsync(folder => WideTreeAsync(folder, files, cancellation));
        }

        foreach (var versions in new[] { 100, 1_000 }.Select(Scaled))
        {
            await InOwnFolderAsync(folder => LongHistoryAsync(folder, "versions of 1,000 files, 10 changed in each", 1_000, versions, cancellation));
        }

        foreach (var versions in new[] { 1_000, 10_000 }.Select(Scaled))
        {
            await InOwnFolderAsync(folder => LongHistoryAsync(folder, "versions of one file of 64 KiB", 1, versions, cancellation));
        }

        await InOwnFolderAsync(folder => LargeFileAsync(folder, (long)(20L * 1024 * 1024 * 1024 * options.Scale), cancellation));
    }

    private int Scaled(int size) => Math.Max(20, (int)(size * options.Scale));

    private async Task InOwnFolderAsync(Func<string, Task> work)
    {
        var folder = Path.Combine(options.Work, "scale");
        Files.Remove(folder);
        Directory.CreateDirectory(folder);
        ForgetPeak();
        try
        {
            await work(folder);
        }
        finally
        {
            Files.Remove(folder);
        }
    }

    private async Task WideTreeAsync(string folder, int files, CancellationToken cancellation)
    {
        talk.WriteLine($"scale: {files} files");
        var tree = Manifest.FromSorted(Tree(files));
        TimeSpan first;
        await using (var site = await ScaleSite.OpenAsync(folder))
        {
            first = (await site.NextAsync(tree, Contents(tree, _ => true), cancellation)).Time;
        }

        var clock = System.Diagnostics.Stopwatch.StartNew();
        await using (var site = await ScaleSite.OpenAsync(folder))
        {
            var open = clock.Elapsed;
            var costs = new List<VersionCost>();
            for (var version = 2; version <= 4 + MeasuredVersions; version++)
            {
                // The first two fill the other slot, and tables that are kept from then on.
                var cost = await NextAsync(site, files, version, cancellation);
                if (version > 4)
                {
                    costs.Add(cost);
                }
            }

            var back = await site.RestoreAsync(new VersionId(1, 1), cancellation);
            Say("files, 10 changed in a version", files, first, open, costs, back);
        }
    }

    private async Task LongHistoryAsync(string folder, string what, int files, int versions, CancellationToken cancellation)
    {
        talk.WriteLine($"scale: {versions} {what}");
        var costs = new List<VersionCost>();
        TimeSpan first;
        await using (var site = await ScaleSite.OpenAsync(folder))
        {
            var tree = files == 1 ? Manifest.FromSorted([ScaleSite.Folder(""), ScaleSite.File("log", Log(1))]) : Manifest.FromSorted(Tree(files));
            first = (await site.NextAsync(tree, files == 1 ? [LogContent(1)] : Contents(tree, _ => true), cancellation)).Time;
            for (var version = 2; version <= versions; version++)
            {
                var cost = files == 1 ? await NextLogAsync(site, version, cancellation) : await NextAsync(site, files, version, cancellation);

                // The last tenth: all that is long by then is long.
                if (version > versions - Math.Max(10, versions / 10))
                {
                    costs.Add(cost);
                }
            }
        }

        var clock = System.Diagnostics.Stopwatch.StartNew();
        await using (var site = await ScaleSite.OpenAsync(folder))
        {
            var open = clock.Elapsed;
            Say(what, versions, first, open, costs, await site.RestoreAsync(new VersionId(1, 1), cancellation));
        }
    }

    private async Task LargeFileAsync(string folder, long length, CancellationToken cancellation)
    {
        talk.WriteLine($"scale: one file of {Table.Bytes(length)}");
        string[] paths = [Path.Combine(folder, "disk-1"), Path.Combine(folder, "disk-2")];
        for (var version = 0; version < paths.Length; version++)
        {
            await using var file = File.Create(paths[version]);
            file.SetLength(length);
            var random = new Random(1);
            for (var extent = 0; extent < 64 + version; extent++)
            {
                var bytes = new byte[1024 * 1024];
                random.NextBytes(bytes);
                file.Position = random.NextInt64(length - bytes.Length) / 4096 * 4096;
                await file.WriteAsync(bytes, cancellation);
            }
        }

        await using var site = await ScaleSite.OpenAsync(folder);
        var entries = await Task.WhenAll(paths.Select(path => Task.Run(
            () =>
            {
                using var file = File.OpenRead(path);
                return ScaleSite.File("disk", []) with { Size = length, Sparse = true, Hash = ContentHash.From(SHA256.HashData(file)) };
            },
            cancellation)));

        var first = await site.NextAsync(Manifest.FromSorted([ScaleSite.Folder(""), entries[0]]), [new ScaleContent(entries[0], () => File.OpenRead(paths[0]))], cancellation);
        var second = await site.NextAsync(
            Manifest.FromSorted([ScaleSite.Folder(""), entries[1]]), [new ScaleContent(entries[1], () => File.OpenRead(paths[1]), () => File.OpenRead(paths[0]), entries[0].Hash)], cancellation);
        var back = await site.RestoreAsync(new VersionId(1, 1), cancellation);
        table.Add(
            "a sparse file, 64 extents of 1 MiB; then one more", Table.Bytes(length), Table.Seconds(first.Time) + " s", Table.Nothing, Milliseconds(second.Time), Table.Nothing,
            Table.Bytes(second.Allocated), Table.Seconds(back) + " s", Table.Bytes(Peak()));
    }

    private static Task<VersionCost> NextAsync(ScaleSite site, int files, int version, CancellationToken cancellation)
    {
        var random = new Random(version);
        var changed = Enumerable.Range(0, ChangedFiles).Select(_ => random.Next(files)).Distinct().Order().Select(file => (Path: PathOf(file), Content: ContentOf(file, version))).ToList();
        var next = site.Store.HeadManifest.Apply(new ManifestDelta([.. changed.Select(file => ScaleSite.File(file.Path, file.Content)).OrderBy(entry => entry.Path)], []));
        return site.NextAsync(next, changed.Select(file => new ScaleContent(ScaleSite.File(file.Path, file.Content), () => new MemoryStream(file.Content))), cancellation);
    }

    private static Task<VersionCost> NextLogAsync(ScaleSite site, int version, CancellationToken cancellation)
    {
        var old = Log(version - 1);
        var content = LogContent(version) with { OpenBasis = () => new MemoryStream(old), Basis = ScaleSite.File("log", old).Hash };
        return site.NextAsync(site.Store.HeadManifest.Apply(new ManifestDelta([content.Entry], [])), [content], cancellation);
    }

    private static ScaleContent LogContent(int version)
    {
        var content = Log(version);
        return new ScaleContent(ScaleSite.File("log", content), () => new MemoryStream(content));
    }

    /// <summary>64 KiB of which each version has other 100 bytes somewhere.</summary>
    private static byte[] Log(int version)
    {
        var bytes = new byte[64 * 1024];
        new Random(0).NextBytes(bytes);
        for (var change = Math.Max(1, version - 600); change <= version; change++)
        {
            new Random(change).NextBytes(bytes.AsSpan(change % 600 * 100, 100));
        }

        return bytes;
    }

    private static List<Entry> Tree(int files)
    {
        var entries = new List<Entry> { ScaleSite.Folder("") };
        for (var file = 0; file < files; file++)
        {
            if (file % FilesInFolder == 0)
            {
                entries.Add(ScaleSite.Folder(FolderOf(file)));
            }

            entries.Add(ScaleSite.File(PathOf(file), ContentOf(file, 1)));
        }

        return entries;
    }

    private static IEnumerable<ScaleContent> Contents(Manifest tree, Func<Entry, bool> which) => tree.Entries
        .Where(entry => entry.Type == EntryType.File && which(entry))
        .Select((entry, file) => new ScaleContent(entry, () => new MemoryStream(ContentOf(file, 1))));

    private static string FolderOf(int file) => string.Create(CultureInfo.InvariantCulture, $"folder-{file / FilesInFolder:D6}");

    private static string PathOf(int file) => string.Create(CultureInfo.InvariantCulture, $"{FolderOf(file)}/file-{file:D8}");

    private static byte[] ContentOf(int file, int version) =>
        System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"file {file} as of version {version}\n{Convert.ToHexString(SHA256.HashData(BitConverter.GetBytes(file)))}\n"));

    private void Say(string what, int size, TimeSpan first, TimeSpan open, List<VersionCost> costs, TimeSpan back)
    {
        var sorted = costs.OrderBy(cost => cost.Time).ToList();
        table.Add(
            what, size.ToString("N0", CultureInfo.InvariantCulture), Table.Seconds(first) + " s", Table.Seconds(open) + " s", Milliseconds(sorted[sorted.Count / 2].Time), Milliseconds(sorted[^1].Time),
            Table.Bytes(costs.Order(Comparer<VersionCost>.Create((left, right) => left.Allocated.CompareTo(right.Allocated))).ElementAt(costs.Count / 2).Allocated), Table.Seconds(back) + " s", Table.Bytes(Peak()));
    }

    private static string Milliseconds(TimeSpan time) => Table.Digits(time.TotalMilliseconds);

    private static long Peak() => ProcessMemory.Peak(Environment.ProcessId);

    /// <summary>The kernel's mark of the most memory starts anew.</summary>
    private static void ForgetPeak()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        File.WriteAllText("/proc/self/clear_refs", "5");
    }
}
