using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Bench.Scale;

/// <summary>What one version cost a store: packs are made outside of it.</summary>
internal readonly record struct VersionCost(TimeSpan Time, long Allocated);

/// <summary>A content that a version has, and how it is sent: whole, or as what differs from the one before.</summary>
internal sealed record ScaleContent(Entry Entry, Func<Stream> Open, Func<Stream>? OpenBasis = null, ContentHash Basis = default);

/// <summary>A store that is sent one version after another, as a replica is.</summary>
internal sealed class ScaleSite : IAsyncDisposable
{
    private const string Name = "scale";
    private static readonly BlockKey key = new(0x5CA1E);
    private readonly string directory;

    private ScaleSite(string directory, VersionStore store)
    {
        this.directory = directory;
        Store = store;
    }

    public VersionStore Store { get; }

    public static async Task<ScaleSite> OpenAsync(string directory)
    {
        Directory.CreateDirectory(directory);
        return new ScaleSite(directory, await VersionStore.OpenAsync(Path.Combine(directory, "store"), Name, TimeProvider.System, CancellationToken.None));
    }

    /// <summary>A file with this content, that nobody in particular owns.</summary>
    public static Entry File(string path, ReadOnlySpan<byte> content) => new()
    {
        Path = EntryPath.Parse(path), Type = EntryType.File, Mode = 0x1a4, MtimeUnixNs = 1_700_000_000_000_000_000, Size = content.Length,
        Hash = ContentHash.From(SHA256.HashData(content)),
    };

    public static Entry Folder(string path) => new() { Path = EntryPath.Parse(path), Type = EntryType.Directory, Mode = 0x1ed, MtimeUnixNs = 1_700_000_000_000_000_000 };

    /// <summary>Makes the pack of a version in which these contents are new, then stages and flips it.</summary>
    public async Task<VersionCost> NextAsync(Manifest next, IEnumerable<ScaleContent> contents, CancellationToken cancellation)
    {
        var head = Store.Head;
        var record = new VersionRecord(
            Name, head?.Id.Next ?? new VersionId(1, 1), head?.Id ?? default, DateTimeOffset.UnixEpoch, "bench", next.Root, next.Entries.Count, next.TotalBytes, [], default);
        record = record with { Chain = VersionRecord.ChainOf(head?.Chain ?? default, record) };
        var path = Path.Combine(directory, "next.pack");
        await using (var output = System.IO.File.Create(path))
        await using (var writer = new PackWriter(output, new PackHeader(Name, head?.Id ?? default, head?.Root ?? default, record.Id, Partial: false)))
        {
            foreach (var content in contents)
            {
                await AddAsync(writer, content, cancellation);
            }

            await writer.CompleteAsync(record, Manifest.Diff(Store.HeadManifest, next), cancellation);
        }

        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var clock = Stopwatch.StartNew();
        await Store.StageAsync(path, null, cancellation);
        await Store.FlipAsync(cancellation);
        return new VersionCost(clock.Elapsed, GC.GetTotalAllocatedBytes(precise: true) - allocated);
    }

    /// <summary>How long it takes, and that it comes to an end with the content it should have.</summary>
    public async Task<TimeSpan> RestoreAsync(VersionId version, CancellationToken cancellation)
    {
        var destination = Path.Combine(directory, "restored");
        var clock = Stopwatch.StartNew();
        await Store.RestoreAsync(version, destination, null, cancellation);
        var time = clock.Elapsed;
        Directory.Delete(destination, recursive: true);
        return time;
    }

    public ValueTask DisposeAsync() => Store.DisposeAsync();

    private static async Task AddAsync(PackWriter writer, ScaleContent content, CancellationToken cancellation)
    {
        BlockSignature? signature = null;
        if (content.OpenBasis is { } openBasis)
        {
            await using var basis = openBasis();
            signature = await BlockSignature.OfAsync(basis, basis.Length, key, cancellation);
        }

        await using var source = content.Open();
        await using var blob = writer.BeginBlob(signature is not null);
        var digest = await FileDelta.EncodeAsync(source, signature, key, blob.Delta, cancellation);
        if (ContentHash.From(digest.Hash) != content.Entry.Hash)
        {
            throw new BenchException(string.Create(CultureInfo.InvariantCulture, $"\"{content.Entry.Path}\" changed while it was packed."));
        }

        await blob.CompleteAsync(content.Entry.Hash, content.Basis, content.Entry.Size);
    }
}
