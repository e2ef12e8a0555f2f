using System.Globalization;
using Mirror.Bench.Measuring;
using Mirror.Bench.Workloads;

namespace Mirror.Bench.Capturing;

/// <summary>
/// What a database costs the primary: <c>pg_dump</c> into nothing beside a capture, which has the dump in a version, hashed and as a delta, its pack ready to be pushed. Both by turns,
/// in pairs, so that what else the machine does meets both alike. A small database is captured first: a node has run for long when the next dump is due, and so has this process then.
/// </summary>
internal sealed class DumpBench(WorkOptions options, int rounds, TextWriter output, TextWriter talk)
{
    private const string Name = "bench";
    private const int FullScale = 40;
    private const int Transactions = 2000;

    private const string WarmName = "warm";
    private const int WarmScale = 4;
    private const int WarmRounds = 3;

    private static readonly TimeSpan sampling = TimeSpan.FromMilliseconds(100);

    private readonly Table table = new(
        "version", "pg_dump alone: s", "captured: s", "in pairs", "of it after the dump", "CPU alone: server, client", "captured: server, clients, primary", "pack", "spool before", "at most meanwhile", "after") { Live = output };

    public async Task RunAsync(CancellationToken cancellation)
    {
        var programs = PostgresServer.Programs() ?? throw new BenchException("PostgreSQL is not installed, with its server and pgbench (apt-get install postgresql): there is nothing to dump.");
        var folder = Path.Combine(options.Work, "dumps");
        Files.Remove(folder);
        Directory.CreateDirectory(folder);
        try
        {
            await using var server = await PostgresServer.StartAsync(programs, Path.Combine(folder, "server"));
            await MakeAsync(server, WarmName, WarmScale);
            await MakeAsync(server, Name, FullScale);
            await WarmAsync(server, Path.Combine(folder, WarmName), cancellation);
            await MeasureAsync(server, Path.Combine(folder, Name), cancellation);
        }
        finally
        {
            Files.Remove(folder);
        }
    }

    private async Task MakeAsync(PostgresServer server, string name, int scale)
    {
        await server.RunAsync("createdb", name);
        await server.RunAsync("pgbench", "-i", "-q", "-s", Math.Max(1, (int)Math.Round(scale * options.Scale)).ToString(CultureInfo.InvariantCulture), name);
        await SettleAsync(server, name);
    }

    private async Task WarmAsync(PostgresServer server, string folder, CancellationToken cancellation)
    {
        talk.WriteLine("dumps: warming up");
        await using var site = await DumpedSite.OpenAsync(server, WarmName, folder, cancellation);
        for (var round = 0; round < WarmRounds; round++)
        {
            await site.CaptureAsync(cancellation);
            await site.CaptureAsync(cancellation);
            await ChangeAsync(server, WarmName);
        }
    }

    private async Task MeasureAsync(PostgresServer server, string folder, CancellationToken cancellation)
    {
        await using var site = await DumpedSite.OpenAsync(server, Name, folder, cancellation);
        await site.AloneAsync(cancellation);
        await MeasureAsync("first", 1, change: false);
        await MeasureAsync("nothing changed", rounds, change: false);
        await MeasureAsync(string.Create(CultureInfo.InvariantCulture, $"{Transactions:N0} transactions of pgbench"), rounds, change: true);

        async Task MeasureAsync(string what, int pairs, bool change)
        {
            var (alone, captured) = (new List<CapturedDump>(), new List<CapturedDump>());
            for (var pair = 0; pair < pairs; pair++)
            {
                talk.WriteLine($"dumps: {what}, {pair + 1} of {pairs}");
                if (change)
                {
                    await ChangeAsync(server, Name);
                }

                // Who is first does not matter then either.
                if (pair % 2 == 0)
                {
                    alone.Add(await site.AloneAsync(cancellation));
                }

                captured.Add(await site.CaptureAsync(cancellation));
                if (pair % 2 == 1)
                {
                    alone.Add(await site.AloneAsync(cancellation));
                }
            }

            // Looking at the disk takes time, too: not while time is measured.
            var (before, most) = (await site.SpoolAsync(), 0L);
            if (change)
            {
                await ChangeAsync(server, Name);
            }

            if (site.Versions > 1 || pairs > 1)
            {
                var capture = site.CaptureAsync(cancellation);
                using var timer = new PeriodicTimer(sampling, TimeProvider.System);
                do
                {
                    most = Math.Max(most, await site.SpoolAsync());
                }
                while (await Task.WhenAny(capture, timer.WaitForNextTickAsync(cancellation).AsTask()) != capture);
                await capture;
            }

            table.Add(
                what, Median(alone, one => one.Wall), Median(captured, one => one.Wall), Table.Times(Measured.Median(captured.Zip(alone, (ours, theirs) => ours.Wall / theirs.Wall))),
                Median(captured, one => one.After), $"{Median(alone, one => one.Cpu.Server)}, {Median(alone, one => one.Cpu.Clients)}",
                $"{Median(captured, one => one.Cpu.Server)}, {Median(captured, one => one.Cpu.Clients)}, {Median(captured, one => one.Cpu.Own)}",
                Table.Bytes(captured[^1].Pack), Table.Bytes(before), most == 0 ? Table.Nothing : Table.Bytes(most), Table.Bytes(await site.SpoolAsync()));
        }
    }

    private static string Median(List<CapturedDump> dumps, Func<CapturedDump, double> of) => Table.Digits(Measured.Median(dumps.Select(of)));

    private static async Task ChangeAsync(PostgresServer server, string name)
    {
        await server.RunAsync("pgbench", "-n", "-c", "1", "-t", Transactions.ToString(CultureInfo.InvariantCulture), name);
        await SettleAsync(server, name);
    }

    // The first to read rows after they were written notes in them that this was committed: a cost of neither.
    private static Task SettleAsync(PostgresServer server, string name) => server.RunAsync("psql", "-q", name, "-c", "SELECT count(*) FROM pgbench_accounts", "-c", "CHECKPOINT");
}
