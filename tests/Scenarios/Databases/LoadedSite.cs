using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Primary;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;
using Mirror.Testing;

namespace Mirror.Scenarios.Databases;

/// <summary>
/// A site with a database that is in use, its primary, and the store of a replica that follows it version by version. The primary captures whenever it hears of a change, as it does in a node.
/// </summary>
internal sealed class LoadedSite : IAsyncDisposable
{
    private const string name = "bank";
    private readonly TemporaryDirectory files;
    private readonly VersionStore store;
    private readonly VersionStore replica;
    private readonly PrimaryRole role;

    private LoadedSite(TemporaryDirectory files, VersionStore store, VersionStore replica, PrimaryRole role)
    {
        this.files = files;
        this.store = store;
        this.replica = replica;
        this.role = role;
    }

    /// <summary>MIRROR_LONG=1: as many as are to be shown; else as many as fit into the time that all tests have.</summary>
    public static int Captures { get; } = Environment.GetEnvironmentVariable("MIRROR_LONG") == "1" ? 50 : 8;

    public string Root => files["root"];

    /// <param name="prepare">Puts the first files, and the database, into the root.</param>
    public static async Task<LoadedSite> StartAsync(DatabaseConfig database, Func<string, Task> prepare, CancellationToken cancellation)
    {
        var files = new TemporaryDirectory();
        var root = files.Make("root");
        await prepare(root);
        var config = new SiteConfig(
            name, "a", ["a", "b", "c"], ["a", "b", "c"], new FilesConfig(root, [], TimeSpan.FromMilliseconds(10), TimeSpan.FromHours(1)), [database], [], [], [], true);
        var mine = SlotDatabases.PrivatePaths(config).Select(EntryPath.Parse).ToHashSet();
        var store = await VersionStore.OpenAsync(files["store"], name, TimeProvider.System, cancellation, mine.Contains);
        var replica = await VersionStore.OpenAsync(files["replica"], name, TimeProvider.System, cancellation, mine.Contains);
        var live = await store.BeginCapturingAsync(root, cancellation);
        var role = await PrimaryRole.EnterAsync(config, "a", 1, store, live, files["spool"], TimeProvider.System, NullLogger.Instance, cancellation);
        return new LoadedSite(files, store, replica, role);
    }

    /// <summary>The next version, on the replica and verified there: its tree.</summary>
    public async Task<(VersionId Version, string Tree)> NextAsync(CancellationToken cancellation)
    {
        var have = replica.Head;
        await role.NewerThanAsync(have?.Id ?? default, cancellation);
        var pack = role.TryNext(have?.Id ?? default, have?.Root ?? default, out _);
        Assert.True(pack is not null, $"There is no pack that leads on from {have?.Id}");
        await replica.StageAsync(pack!.Path, null, cancellation);
        await replica.FlipAsync(cancellation);
        var findings = await replica.VerifyAsync(readData: true, null, cancellation);
        Assert.True(findings.Count == 0, string.Join("\n", findings.Select(static finding => finding.What)));
        return (replica.Head!.Id, replica.HeadTree);
    }

    public async ValueTask DisposeAsync()
    {
        await role.DisposeAsync();
        await store.DisposeAsync();
        await replica.DisposeAsync();
        files.Dispose();
    }
}
