using System.Diagnostics;
using System.Globalization;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Testing;
using Xunit.Abstractions;

namespace Mirror.Scenarios.Databases;

/// <summary>pgbench moves money all the time, and versions are made meanwhile: each version's dump loads, its sums are right over all tables, and its files are those it speaks of.</summary>
public sealed class PostgresUnderLoadTests(ITestOutputHelper output)
{
    private const int accounts = 1000;

    // Locks are taken in the order of ids: no transfer waits for one that waits for it.
    private const string transfer =
        """
        \set lo random(1, 999)
        \set hi random(:lo + 1, 1000)
        \set amount random(-100, 100)
        BEGIN;
        UPDATE accounts SET balance = balance - :amount WHERE id = :lo;
        UPDATE accounts SET balance = balance + :amount WHERE id = :hi;
        INSERT INTO moves VALUES (:lo, :hi, :amount);
        END;
        """;

    private const string wrongAccounts =
        "SELECT count(*) FROM accounts a WHERE balance <> 1000 + coalesce((SELECT sum(amount) FROM moves WHERE payee = a.id), 0) - coalesce((SELECT sum(amount) FROM moves WHERE payer = a.id), 0)";

    [Fact]
    public async Task Every_version_loads_and_passes_while_pgbench_moves_money()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(15));
        await using var server = await PostgresServer.StartAsync();
        await server.QueryAsync("postgres", "create database bank");
        await server.QueryAsync("bank", string.Create(CultureInfo.InvariantCulture,
            $"""
            CREATE TABLE accounts(id int PRIMARY KEY, balance int NOT NULL);
            CREATE TABLE moves(payer int NOT NULL, payee int NOT NULL, amount int NOT NULL);
            CREATE INDEX ON moves(payer); CREATE INDEX ON moves(payee);
            CREATE TABLE uploads(id bigint PRIMARY KEY);
            INSERT INTO accounts SELECT id, 1000 FROM generate_series(1, {accounts}) id;
            """));
        using var scripts = new TemporaryDirectory();
        await File.WriteAllTextAsync(scripts["transfer.sql"], transfer, limit.Token);
        await using var site = await LoadedSite.StartAsync(new DatabaseConfig("bank", DatabaseKind.Postgres, null, server.Connection("bank")), root =>
        {
            Uploads.Prepare(root);
            return Task.CompletedTask;
        }, limit.Token);

        using var stop = new CancellationTokenSource();
        using var bench = Start(server, "pgbench", "-n", "-c", "3", "-j", "1", "-T", "3600", "-f", scripts["transfer.sql"], "bank");
        using var psql = Start(server, "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", "bank");
        using var uploads = new Uploads(site.Root, token => InsertAsync(psql, token));
        var uploader = Task.Run(() => uploads.RunAsync(stop.Token));
        var ahead = 0;
        long moves = 0;
        try
        {
            for (var number = 0; number < LoadedSite.Captures; number++)
            {
                uploads.GoOn();
                var (version, tree) = await site.NextAsync(limit.Token);
                await server.QueryAsync("postgres", "drop database if exists loaded");
                await server.QueryAsync("postgres", "create database loaded");
                await PostgresTool.RunAsync(
                    "pg_restore", server.Connection("loaded"), ["--exit-on-error", "--no-owner", "--dbname=loaded", Path.Combine(tree, ".mirror", "dumps", "bank")], limit.Token);
                Assert.Equal($"{accounts * 1000}|0", (await server.QueryAsync("loaded", $"SELECT sum(balance), ({wrongAccounts}) FROM accounts")).Trim());
                var rows = (await server.QueryAsync("loaded", "SELECT id FROM uploads")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
                ahead += Uploads.Check(tree, [.. rows.Select(row => long.Parse(row, CultureInfo.InvariantCulture))], $"version {version}");
                var now = long.Parse(await server.QueryAsync("loaded", "SELECT count(*) FROM moves"), CultureInfo.InvariantCulture);
                Assert.True(now >= moves, $"version {version} has {now} moves, and the one before had {moves}");
                moves = now;
                Assert.False(bench.HasExited, "pgbench has ended");
            }
        }
        finally
        {
            await stop.CancelAsync();
            await uploader;
            psql.StandardInput.Close();
            bench.Kill();
            await Task.WhenAll(psql.WaitForExitAsync(CancellationToken.None), bench.WaitForExitAsync(CancellationToken.None));
        }

        Assert.True(moves > 0);
        output.WriteLine($"{LoadedSite.Captures} versions; {moves} moves in the last, {await uploader} uploads, {ahead} files that were in a version before their rows");
    }

    /// <summary>Committed when psql answers.</summary>
    private static async Task InsertAsync(Process psql, long token)
    {
        await psql.StandardInput.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"INSERT INTO uploads VALUES ({token}) RETURNING id;"));
        await psql.StandardInput.FlushAsync();
        Assert.Equal(token.ToString(CultureInfo.InvariantCulture), await psql.StandardOutput.ReadLineAsync());
    }

    private static Process Start(PostgresServer server, string program, params string[] arguments)
    {
        var file = PostgresTool.Find(program) ?? throw new InvalidOperationException($"{program} is not installed; `./build.sh test` as root installs PostgreSQL.");
        string[] all = ["-h", "127.0.0.1", "-p", server.Port.ToString(CultureInfo.InvariantCulture), "-U", "mirror", .. arguments];
        return Process.Start(new ProcessStartInfo(file, all) { RedirectStandardInput = true, RedirectStandardOutput = true, WorkingDirectory = "/" })!;
    }
}
