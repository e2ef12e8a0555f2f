using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Apps;
using Mirror.Leadership.Voting;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Primary.Capture.Databases;
using Mirror.Primary.Capture.Logs;
using Mirror.Primary.Retire;
using Mirror.Primary.Watch;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests;

/// <summary>A live tree with the store of its primary and, where asked for, the store of a replica; all real, in one temporary directory.</summary>
internal sealed class LiveSite : IAsyncDisposable
{
    public const string Name = "wiki";
    private readonly List<VersionStore> replicas = [];

    private LiveSite(TemporaryDirectory files, SiteConfig config, VersionStore store, LiveTree live)
    {
        Files = files;
        Config = config;
        Store = store;
        Live = live;
        Dumps = new SiteDumps(config, live.Tree, live.Slot, Spool, TimeProvider.System);
    }

    public TemporaryDirectory Files { get; }

    public SiteConfig Config { get; set; }

    public VersionStore Store { get; }

    public LiveTree Live { get; }

    public SiteDumps Dumps { get; }

    public string Root => Files["root"];

    public string Spool => Files["spool"];

    /// <summary>Long enough after now that no file counts as just touched.</summary>
    public static FakeTimeProvider Later => new(TimeProvider.System.GetUtcNow() + TimeSpan.FromMinutes(1));

    public static Task<LiveSite> MakeAsync(TreeLiteral? tree = null, IReadOnlyList<string>? exclude = null, string? database = null, Func<FilesConfig, FilesConfig>? files = null) =>
        MakeAsync(database is null ? [] : [new DatabaseConfig("pages", DatabaseKind.Sqlite, database, null)], tree, exclude, files);

    public static async Task<LiveSite> MakeAsync(
        IReadOnlyList<DatabaseConfig> databases, TreeLiteral? tree = null, IReadOnlyList<string>? exclude = null, Func<FilesConfig, FilesConfig>? files = null)
    {
        var place = new TemporaryDirectory();
        var root = place["root"];
        var plain = new FilesConfig(root, exclude ?? [], TimeSpan.FromMilliseconds(20), TimeSpan.FromHours(1));
        (tree ?? TreeLiteral.Empty).WriteTo(root);
        var config = new SiteConfig(
            Name, "a", ["a", "b", "c"], ["a", "b", "c"], files?.Invoke(plain) ?? plain,
            databases, [], [], [], true);
        var store = await OpenAsync(place["store"], config);
        return new LiveSite(place, config, store, await store.BeginCapturingAsync(root, CancellationToken.None));
    }

    /// <summary>Captures and, when something changed, records: what a primary does.</summary>
    public Task<CaptureResult> CaptureAsync(bool allowMassDelete = false, TimeProvider? time = null, ulong epoch = 1, BegunScan? begun = null) =>
        CaptureAsync(TouchedPaths.All, allowMassDelete, time, epoch, begun);

    /// <param name="begun">A walk begun before; what changed since was not seen by it.</param>
    public async Task<CaptureResult> CaptureAsync(TouchedPaths touched, bool allowMassDelete = false, TimeProvider? time = null, ulong epoch = 1, BegunScan? begun = null)
    {
        var contents = await Dumps.RunAsync(Store, CancellationToken.None);
        var request = new CaptureRequest(Root, Dumps.Spool, PathFilter.For(Config), "a", epoch, Dumps.Labels, allowMassDelete) { Guards = CaptureGuards.For(Config.Files), Touched = touched, Contents = contents };
        var captured = await SiteCapture.CaptureAsync(Store, request, Store.OutboxDirectory, time ?? Later, CancellationToken.None, begun);
        if (captured.Version is { } version)
        {
            await Store.RecordCaptureAsync(version, captured.Delta, captured.StatKeys, captured.Signatures, CancellationToken.None);
        }

        return captured;
    }

    /// <summary>Its dumps by another time than that of this machine, which passes when the test says so: who is busy is not late.</summary>
    public SiteDumps DumpsBy(TimeProvider time) => new(Config, Live.Tree, Live.Slot, Spool, time);

    /// <summary>A walk of the live tree as it is now, for a capture that comes later.</summary>
    public async Task<BegunScan> WalkAsync(TimeProvider? time = null)
    {
        var walk = BegunScan.Of(new CaptureSource(Root, Dumps.Spool, PathFilter.For(Config)), time ?? TimeProvider.System, CancellationToken.None);
        await walk.FoundAsync();
        return walk;
    }

    public Task<PrimaryRole> EnterAsync(ulong epoch = 1, CaptureConfig? capture = null, TimeProvider? time = null, IConsistencyMark? mark = null) => PrimaryRole.EnterAsync(
        capture is null ? Config : Config with { Capture = capture }, "a", epoch, Store, Live, Spool, time ?? TimeProvider.System, NullLogger.Instance, CancellationToken.None, mark);

    public Task<Retirement> RetireAsync(IReadOnlyDictionary<VersionId, ContentHash> ancestry) =>
        FormerPrimary.RetireAsync(Config, "a", Store, Live, Spool, ancestry, Later, NullLogger.Instance, CancellationToken.None);

    public async Task<VersionStore> ReplicaAsync()
    {
        var replica = await OpenAsync(Files[$"replica-{replicas.Count}"], Config);
        replicas.Add(replica);
        return replica;
    }

    /// <summary>The pack leads the replica to the version it says, and the replica finds nothing wrong.</summary>
    public static async Task StageAsync(VersionStore replica, string pack)
    {
        using var reader = PackReader.Open(pack);
        var staged = await replica.StageAsync(pack, null, CancellationToken.None);
        await replica.FlipAsync(CancellationToken.None);
        Assert.Equal(reader.Version.Root, staged.Root);
        await AssertCleanAsync(replica);
    }

    public static async Task AssertCleanAsync(VersionStore store)
    {
        var findings = await store.VerifyAsync(readData: true, null, CancellationToken.None);
        Assert.True(findings.Count == 0, string.Join("\n", findings.Select(finding => finding.What)));
    }

    public static IReadOnlyCollection<BlobInfo> BlobsOf(CaptureResult captured)
    {
        using var reader = PackReader.Open(captured.Pack!);
        return [.. reader.Blobs];
    }

    public static string[] Put(CaptureResult captured) => [.. captured.Delta.Put.Select(entry => entry.Path.ToString())];

    public string[] Outbox() => [.. Directory.GetFileSystemEntries(Store.OutboxDirectory).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    public void Write(string path, string content) => File.WriteAllText(Path.Combine(Root, path), content);

    /// <summary>Bytes that do not compress and are the same every time.</summary>
    public static byte[] Noise(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in replicas)
        {
            await replica.DisposeAsync();
        }

        await Store.DisposeAsync();
        Files.Dispose();
    }

    private static Task<VersionStore> OpenAsync(string directory, SiteConfig config)
    {
        var paths = SlotDatabases.PrivatePaths(config).Select(EntryPath.Parse).ToHashSet();
        var logs = LogPatterns.For(config);
        return VersionStore.OpenAsync(directory, Name, TimeProvider.System, CancellationToken.None, path => paths.Contains(path) || logs?.Matches(path) == true);
    }
}
