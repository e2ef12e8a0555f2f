using System.Globalization;
using Mirror.Bench.Measuring;
using Mirror.Bench.Workloads;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Primary.Capture.Databases;
using Mirror.Store.Versions;

namespace Mirror.Bench.Capturing;

/// <summary>
/// What a database costs the primary: <c>pg_dump</c> into nothing beside a capture, which has the dump in a version, hashed and as a delta, its pack ready to be pushed. Both by turns,
/// in pairs, so that what else the machine does meets both alike.
/// </summary>
internal sealed class DumpBench(WorkOptions options, int rounds, TextWriter output, TextWriter talk)
{
    private const string Name = "bench";
    private const int FullScale = 40;
    private const int Transactions = 2000;

    private static readonly TimeSpan sampling = TimeSpan.FromMilliseconds(100);

    private readonly TimeProvider time = TimeProvider.System;
    private readonly Table table = new("version", "pg_dump alone: s", "captured: s", "in pairs", "of it after the dump", "CPU of the primary", "pack", "spool before", "at most meanwhile", "after") { Live = output };

    public async Task RunAsync(CancellationToken cancellation)
    {
        var programs = PostgresServer.Programs() ?? throw new BenchException("PostgreSQL is not installed, with its server and pgbench (apt-get install postgresql): there is nothing to dump.");
        var folder = Path.Combine(options.Work, "dumps");
        Files.Remove(folder);
        Directory.CreateDirectory(folder);
        try
        {
            await using var server = await PostgresServer.StartAsync(programs, Path.Combine(folder, "server"));
            await server.RunAsync("createdb", Name);
            await server.RunAsync("pgbench", "-i", "-q", "-s", Math.Max(1, (int)Math.Round(FullScale * options.Scale)).ToString(CultureInfo.InvariantCulture), Name);
            await MeasureAsync(server, folder, cancellation);
        }
        finally
        {
            Files.Remove(folder);
        }
    }

    private async Task MeasureAsync(PostgresServer server, string folder, CancellationToken cancellation)
    {
        var tree = Path.Combine(folder, "tree");
        Directory.CreateDirectory(tree);
        await using var store = await VersionStore.OpenAsync(Path.Combine(folder, "store"), Name, time, cancellation);
        await store.BeginCapturingAsync(tree, cancellation);
        var database = new DatabaseConfig(Name, DatabaseKind.Postgres, null, $"Host={server.Socket};Database={Name};Username={PostgresServer.User}");
        var site = new SiteConfig(Name, "a", ["a"], ["a"], new FilesConfig(tree, [], TimeSpan.Zero, TimeSpan.FromHours(1)), [database], [], [], [], true);
        var spool = Path.Combine(folder, "spool");
        var dumps = new SiteDumps(site, tree, SlotDatabases.Unadopted, spool, time);

        await SettleAsync(server);
        await AloneAsync(database);
        await MeasureAsync("first", 1, change: false);
        await MeasureAsync("nothing changed", rounds, change: false);
        await MeasureAsync(string.Create(CultureInfo.InvariantCulture, $"{Transactions:N0} transactions of pgbench"), rounds, change: true);

        async Task MeasureAsync(string what, int pairs, bool change)
        {
            var (alone, captured, after, cpu) = (new List<double>(), new List<double>(), new List<double>(), new List<double>());
            long pack = 0;
            for (var pair = 0; pair < pairs; pair++)
            {
                talk.WriteLine($"dumps: {what}, {pair + 1} of {pairs}");
                if (change)
                {
                    await ChangeAsync(server);
                }

                // Who is first does not matter then either.
                if (pair % 2 == 0)
                {
                    alone.Add(await AloneAsync(database));
                }

                var (wall, rest, own, length) = await CaptureAsync();
                captured.Add(wall);
                after.Add(rest);
                cpu.Add(own);
                pack = length;
                if (pair % 2 == 1)
                {
                    alone.Add(await AloneAsync(database));
                }
            }

            // Looking at the disk takes time, too: not while time is measured.
            var (before, most) = (await SpoolAsync(), 0L);
            if (change)
            {
                await ChangeAsync(server);
            }

            if (store.Versions.Count > 1 || pairs > 1)
            {
                var capture = CaptureAsync();
                using var timer = new PeriodicTimer(sampling, time);
                do
                {
                    most = Math.Max(most, await SpoolAsync());
                }
                while (await Task.WhenAny(capture, timer.WaitForNextTickAsync(cancellation).AsTask()) != capture);
                await capture;
            }

            table.Add(
                what, Table.Digits(Measured.Median(alone)), Table.Digits(Measured.Median(captured)), Table.Times(Measured.Median(captured.Zip(alone, (ours, theirs) => ours / theirs))),
                Table.Digits(Measured.Median(after)), Table.Digits(Measured.Median(cpu)), Table.Bytes(pack), Table.Bytes(before), most == 0 ? Table.Nothing : Table.Bytes(most), Table.Bytes(await SpoolAsync()));
        }

        async Task<(double Wall, double After, double Cpu, long Pack)> CaptureAsync()
        {
            var (began, cpu) = (time.GetTimestamp(), Environment.CpuUsage.TotalTime);
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

            return (time.GetElapsedTime(began, ended).TotalSeconds, time.GetElapsedTime(dumped, ended).TotalSeconds, (Environment.CpuUsage.TotalTime - cpu).TotalSeconds, pack);
        }

        Task<long> SpoolAsync() => DiskUse.OfAsync([.. new[] { spool, spool + ".before" }.Where(Directory.Exists)]);
    }

    /// <summary>The very program that captures run, into nothing.</summary>
    private async Task<double> AloneAsync(DatabaseConfig database)
    {
        var began = time.GetTimestamp();
        await PostgresTool.RunAsync("pg_dump", database.Connection!, ["--file=/dev/null"], CancellationToken.None);
        return time.GetElapsedTime(began).TotalSeconds;
    }

    private static async Task ChangeAsync(PostgresServer server)
    {
        await server.RunAsync("pgbench", "-n", "-c", "1", "-t", Transactions.ToString(CultureInfo.InvariantCulture), Name);
        await SettleAsync(server);
    }

    // The first to read rows after they were written notes in them that this was committed: a cost of neither.
    private static Task SettleAsync(PostgresServer server) => server.RunAsync("psql", "-q", Name, "-c", "SELECT count(*) FROM pgbench_accounts", "-c", "CHECKPOINT");
}
