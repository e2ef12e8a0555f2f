using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;
using Xunit.Abstractions;

namespace Mirror.Store.Tests.Versions;

/// <summary>Runs when nothing else does: it counts what the whole process allocates and asks of the kernel.</summary>
[CollectionDefinition(nameof(CostOfAVersionTests), DisableParallelization = true)]
public sealed class CostOfAVersionCollection;

/// <summary>What a version costs a store goes by what it changes, neither by the tree nor by the history. Work is counted here, since times depend on what else a machine does.</summary>
[Collection(nameof(CostOfAVersionTests))]
public sealed class CostOfAVersionTests(ITestOutputHelper output)
{
    private const int Changed = 10;
    private const int Measured = 8;

    [Fact]
    public async Task A_tree_twenty_times_as_large_does_not_make_a_version_dear()
    {
        var few = await CostAsync(files: 1_000, versions: 4);
        var many = await CostAsync(files: 20_000, versions: 4);

        output.WriteLine($"1,000 files: {few}; 20,000 files: {many}");
        Assert.Equal(few.Operations, many.Operations);
        Assert.InRange(many.Calls, 0, few.Calls * 1.5);

        // The ten changes lie in ten pages of the manifest, and of the index, instead of a few.
        Assert.InRange(many.IndexBytes, 0, few.IndexBytes * 3);
        Assert.InRange(many.Allocated, 0, few.Allocated * 4);
    }

    [Fact]
    public async Task A_history_fifteen_times_as_long_does_not_make_a_version_dear()
    {
        var few = await CostAsync(files: 60, versions: 10);
        var many = await CostAsync(files: 60, versions: 150);

        output.WriteLine($"10 versions: {few}; 150 versions: {many}");
        Assert.Equal(few.Operations, many.Operations);
        Assert.InRange(many.Calls, 0, few.Calls * 1.5);
        Assert.InRange(many.IndexBytes, 0, few.IndexBytes * 2);
        Assert.InRange(many.Allocated, 0, few.Allocated * 1.5);
    }

    /// <summary>Of a version that comes after so many, at the mean.</summary>
    private static async Task<Cost> CostAsync(int files, int versions)
    {
        using var directory = new TemporaryDirectory();
        await using (var filling = await OpenAsync(new FailingDisk(0, forGood: false)))
        {
            for (var version = 0; version < versions; version++)
            {
                await StageAsync(filling, await PackAsync(filling));
            }
        }

        // A connection of its own: what it writes goes to the end of its log until that has a thousand pages. Two versions for what is read once.
        var disk = new FailingDisk(0, forGood: false);
        await using var store = await OpenAsync(disk);
        await StageAsync(store, await PackAsync(store));
        await StageAsync(store, await PackAsync(store));
        disk.Armed = true;
        var sum = new Cost(0, 0, 0, 0);
        for (var version = 0; version < Measured; version++)
        {
            var pack = await PackAsync(store);
            var before = Now();
            await StageAsync(store, pack);
            sum += Now() - before;
        }

        return sum / Measured;

        Cost Now() => new(disk.Operations.Count, KernelCalls(), new FileInfo(directory["store/index.db-wal"]).Length, GC.GetTotalAllocatedBytes(precise: true));

        Task<VersionStore> OpenAsync(FailingDisk through) =>
            VersionStore.OpenAsync(directory["store"], VersionedSite.Name, TimeProvider.System, through, _ => false, CancellationToken.None);

        async Task<string> PackAsync(VersionStore into)
        {
            var head = into.Head;
            var number = (int)(head?.Id.Sequence ?? 0);
            var changed = head is null ? Enumerable.Range(0, files).ToArray() : [.. Enumerable.Range(0, Changed).Select(change => (change * files / Changed) + (number % 5))];
            var contents = changed.ToDictionary(file => file, file => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"file {file} as of version {number}\n")));
            var put = contents.Select(content => FileOf(content.Key, content.Value));
            if (head is null)
            {
                put = put.Concat(Enumerable.Range(0, files).SelectMany(file => Above(PathOf(file))).Distinct().Select(path => TreeLiteral.NewDirectory().Metadata with { Path = path }));
            }

            var next = into.HeadManifest.Apply(new ManifestDelta([.. put.OrderBy(entry => entry.Path)], []));
            var record = VersionedSite.Describe(next, head?.Id.Next ?? new VersionId(1, 1), head);
            var path = directory["next.pack"];
            await using var output = File.Create(path);
            await using var writer = new PackWriter(output, new PackHeader(VersionedSite.Name, head?.Id ?? default, head?.Root ?? default, record.Id, Partial: false));
            foreach (var content in contents.Values)
            {
                await using var blob = writer.BeginBlob();
                FileDelta.EncodeHeld(content, null, new BlockKey(1), blob.Delta, sign: false);
                await blob.CompleteAsync(ContentHash.From(SHA256.HashData(content)), default, content.Length);
            }

            await writer.CompleteAsync(record, Manifest.Diff(into.HeadManifest, next), CancellationToken.None);
            return path;
        }
    }

    private static async Task StageAsync(VersionStore store, string pack)
    {
        await store.StageAsync(pack, null, CancellationToken.None);
        await store.FlipAsync(CancellationToken.None);
    }

    private static Entry FileOf(int file, byte[] content) => TreeLiteral.NewFile(content).Metadata with { Path = PathOf(file), Size = content.Length, Hash = ContentHash.From(SHA256.HashData(content)) };

    // Folders of forty files, in few folders that do not get more.
    private static EntryPath PathOf(int file) => EntryPath.Parse(string.Create(CultureInfo.InvariantCulture, $"top-{file / 40 % 7}/part-{file / 40:D4}/file-{file:D6}"));

    private static IEnumerable<EntryPath> Above(EntryPath path)
    {
        while (!path.IsRoot)
        {
            path = path.Parent;
            yield return path;
        }
    }

    private static long KernelCalls() => File.ReadLines("/proc/self/io").Where(line => line.StartsWith("syscr", StringComparison.Ordinal) || line.StartsWith("syscw", StringComparison.Ordinal))
        .Sum(line => long.Parse(line[(line.IndexOf(' ') + 1)..], CultureInfo.InvariantCulture));

    /// <param name="Operations">Changes of the disk through the store's seam.</param>
    /// <param name="Calls">Of the kernel, to read and to write.</param>
    /// <param name="IndexBytes">Pages of the index that were written.</param>
    private readonly record struct Cost(double Operations, double Calls, double IndexBytes, double Allocated)
    {
        public static Cost operator +(Cost left, Cost right) =>
            new(left.Operations + right.Operations, left.Calls + right.Calls, left.IndexBytes + right.IndexBytes, left.Allocated + right.Allocated);

        public static Cost operator -(Cost left, Cost right) =>
            new(left.Operations - right.Operations, left.Calls - right.Calls, left.IndexBytes - right.IndexBytes, left.Allocated - right.Allocated);

        public static Cost operator /(Cost sum, int count) => new(sum.Operations / count, sum.Calls / count, sum.IndexBytes / count, sum.Allocated / count);

        public override string ToString() => string.Create(
            CultureInfo.InvariantCulture, $"{Operations:F0} operations, {Calls:F0} reads and writes, {IndexBytes / 1024:F0} KiB of the index, {Allocated / 1024:F0} KiB allocated");
    }
}
