using Mirror.Bench.Measuring;
using Mirror.Bench.Workloads;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Primary.Capture.Databases;
using Mirror.Store.Versions;

namespace Mirror.Bench.Capturing;

/// <param name="Wall">Seconds, of which <paramref name="After"/> went by when the dump was there.</param>
/// <param name="Pack">Bytes; 0 when nothing changed.</param>
internal sealed record CapturedDump(double Wall, double After, CpuParts Cpu, long Pack);

/// <param name="Server">Seconds of CPU that PostgreSQL took, and <paramref name="Clients"/> its client programs, and <paramref name="Own"/> this process.</param>
internal sealed record CpuParts(double Server, double Clients, double Own);

/// <summary>A site that is one database: dumped into nothing, or captured, with what each took.</summary>
internal sealed class DumpedSite : IAsyncDisposable
{
    // A session of the server ends a little after its client.
    private static readonly TimeSpan ending = TimeSpan.FromMilliseconds(200);

    private readonly TimeProvider time = TimeProvider.System;
    private readonly PostgresServer server;
    private readonly DatabaseConfig database;
    private readonly VersionStore store;
    private readonly SiteDumps dumps;
    private readonly string tree;
    private readonly string spool;

    private DumpedSite(PostgresServer server, string name, string folder, VersionStore store)
    {
        (this.server, this.store) = (server, store);
        (tree, spool) = (TreeOf(folder), Path.Combine(folder, "spool"));
        database = new DatabaseConfig(name, DatabaseKind.Postgres, null, $"Host={server.Socket};Database={name};Username={PostgresServer.User}");
        var site = new SiteConfig(name, "a", ["a"], ["a"], new FilesConfig(tree, [], TimeSpan.Zero, TimeSpan.FromHours(1)), [database], [], [], [], true);
        dumps = new SiteDumps(site, tree, SlotDatabases.Unadopted, spool, time);
    }

    public int Versions => store.Versions.Count;

    public static async Task<DumpedSite> OpenAsync(PostgresServer server, string name, string folder, CancellationToken cancellation)
    {
        Directory.CreateDirectory(TreeOf(folder));
        var store = await VersionStore.OpenAsync(Path.Combine(folder, "store"), name, TimeProvider.System, cancellation);
        await store.BeginCapturingAsync(TreeOf(folder), cancellation);
        return new DumpedSite(server, name, folder, store);
    }

    /// <summary>The very program that captures run, into nothing.</summary>
    public async Task<CapturedDump> AloneAsync(CancellationToken cancellation)
    {
        var (began, cpu) = (time.GetTimestamp(), Cpu());
        await PostgresTool.RunAsync("pg_dump", database.Connection!, ["--file=/dev/null"], cancellation);
        var wall = time.GetElapsedTime(began).TotalSeconds;
        return new CapturedDump(wall, 0, await CpuSinceAsync(cpu, cancellation), 0);
    }

    public async Task<CapturedDump> CaptureAsync(CancellationToken cancellation)
    {
        var (began, cpu) = (time.GetTimestamp(), Cpu());
        var contents = await dumps.RunAsync(store, cancellation);
        var dumped = time.GetTimestamp();
        var request = new CaptureRequest(tree, dumps.Spool, new PathFilter([], []), "bench", 1, dumps.Labels, AllowMassDelete: false) { Contents = contents };
        var captured = await SiteCapture.CaptureAsync(store, request, store.OutboxDirectory, time, cancellation);
        long pack = 0;
        if (captured.Version is { } version)
        {
            await store.RecordCaptureAsync(version, captured.Delta, captured.StatKeys, captured.Signatures, cancellation);
            pack = new FileInfo(captured.Pack!).Length;
        }

        var ended = time.GetTimestamp();
        if (captured.Pack is { } sent)
        {
            File.Delete(sent);
        }

        return new CapturedDump(time.GetElapsedTime(began, ended).TotalSeconds, time.GetElapsedTime(dumped, ended).TotalSeconds, await CpuSinceAsync(cpu, cancellation), pack);
    }

    /// <summary>What the dump takes on the disk, with the one before it.</summary>
    public Task<long> SpoolAsync() => DiskUse.OfAsync([.. new[] { spool, spool + ".before" }.Where(Directory.Exists)]);

    public ValueTask DisposeAsync() => store.DisposeAsync();

    private static string TreeOf(string folder) => Path.Combine(folder, "tree");

    private async Task<CpuParts> CpuSinceAsync(CpuParts before, CancellationToken cancellation)
    {
        // What this process does while it waits is next to nothing.
        await Task.Delay(ending, time, cancellation);
        var now = Cpu();
        return new CpuParts(now.Server - before.Server, now.Clients - before.Clients, now.Own - before.Own);
    }

    private CpuParts Cpu() => new(ProcessTimes.OfEndedChildren(server.Process), ProcessTimes.OfEndedChildren(Environment.ProcessId), Environment.CpuUsage.TotalTime.TotalSeconds);
}
