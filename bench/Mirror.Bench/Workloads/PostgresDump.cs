using System.Globalization;
using CliWrap;

namespace Mirror.Bench.Workloads;

/// <summary>
/// Real dumps: pgbench's tables, and a dump before and after a fixed number of its transactions from one client with a fixed seed.
/// Only the times in the history table differ from run to run.
/// </summary>
internal static class PostgresDump
{
    private const int FullScale = 45;

    public static async Task MakeAsync(string programs, string work, string[] versions, DumpKind kind, double scale)
    {
        await using var server = await PostgresServer.StartAsync(programs, Path.Combine(work, "postgres"));
        var size = Math.Max(1, (int)Math.Round(FullScale * scale));
        var transactions = Math.Max(10, (int)(kind.Transactions * scale));
        await server.RunAsync("createdb", "shop");
        await server.RunAsync("pgbench", "-i", "-q", "-s", Text(size), "shop");
        if (kind.IsHex)
        {
            await server.RunAsync(
                "psql", "-q", "shop",
                "-c", "UPDATE pgbench_accounts SET filler = left(encode(sha256(aid::text::bytea), 'hex') || md5(aid::text), 84)",
                "-c", "VACUUM FULL pgbench_accounts");
        }

        await DumpAsync(server, versions[0]);
        await server.RunAsync("pgbench", "--random-seed=7", "-c", "1", "-t", Text(transactions), "shop");
        await DumpAsync(server, versions[1]);
    }

    private static Task DumpAsync(PostgresServer server, string version) => server.RunAsync(PipeTarget.ToFile(Path.Combine(version, DumpKind.FileName)), "pg_dump", "-Fp", "shop");

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
