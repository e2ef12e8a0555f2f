using System.Globalization;
using Microsoft.Data.Sqlite;
using Mirror.Node.Configuration;
using Xunit.Abstractions;

namespace Mirror.Scenarios.Databases;

/// <summary>Writers that never stop, and versions made meanwhile: each version's database is whole, its sums are right, and its files are those it speaks of.</summary>
public sealed class SqliteUnderLoadTests(ITestOutputHelper output)
{
    private const int accounts = 2000;
    private const int balance = 1000;

    [Theory]
    [InlineData("WAL")]
    [InlineData("DELETE")]
    public async Task Every_version_passes_while_writers_move_money(string journal)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(10));
        await using var site = await LoadedSite.StartAsync(new DatabaseConfig("bank", DatabaseKind.Sqlite, "bank.db", null), root => PrepareAsync(root, journal), limit.Token);
        using var stop = new CancellationTokenSource();
        var database = Path.Combine(site.Root, "bank.db");
        var writers = Enumerable.Range(1, 2).Select(seed => Task.Run(() => Transfer(database, seed, stop.Token))).ToArray();
        using var bank = Open(database, SqliteOpenMode.ReadWrite);
        using var uploads = new Uploads(site.Root, token =>
        {
            Ask<object>(bank, string.Create(CultureInfo.InvariantCulture, $"INSERT INTO uploads VALUES ({token})"));
            return Task.CompletedTask;
        });
        var uploader = Task.Run(() => uploads.RunAsync(stop.Token));
        var ahead = 0;
        long moves = 0;
        try
        {
            for (var number = 0; number < LoadedSite.Captures; number++)
            {
                uploads.GoOn();
                var (version, tree) = await site.NextAsync(limit.Token);
                using var dump = Open(Path.Combine(tree, ".mirror", "dumps", "bank.sqlite"), SqliteOpenMode.ReadOnly);
                Assert.Equal("ok", Ask<string>(dump, "PRAGMA integrity_check"));
                Assert.Equal((long)accounts * balance, Ask<long>(dump, "SELECT sum(balance) FROM accounts"));
                Assert.Equal(
                    0L, Ask<long>(dump, "SELECT count(*) FROM (SELECT id FROM accounts WHERE balance <> 1000 + coalesce((SELECT sum(amount) FROM moves WHERE payee = id), 0) - coalesce((SELECT sum(amount) FROM moves WHERE payer = id), 0))"));
                ahead += Uploads.Check(tree, Rows(dump), $"version {version}");
                var now = Ask<long>(dump, "SELECT count(*) FROM moves");
                Assert.True(now >= moves, $"version {version} has {now} moves, and the one before had {moves}");
                moves = now;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll([.. writers, uploader]);
        }

        // Writers were let through while copies were made.
        Assert.True(moves > 0);
        output.WriteLine($"{LoadedSite.Captures} versions; {moves} moves in the last, {await uploader} uploads, {ahead} files that were in a version before their rows");
    }

    private static Task PrepareAsync(string root, string journal)
    {
        Uploads.Prepare(root);
        using var bank = Open(Path.Combine(root, "bank.db"), SqliteOpenMode.ReadWriteCreate);
        Ask<object>(bank, $"PRAGMA journal_mode = {journal}");
        Ask<object>(bank, string.Create(CultureInfo.InvariantCulture,
            $"""
            CREATE TABLE accounts(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
            CREATE TABLE moves(payer INTEGER NOT NULL, payee INTEGER NOT NULL, amount INTEGER NOT NULL);
            CREATE INDEX moves_payer ON moves(payer, amount);
            CREATE INDEX moves_payee ON moves(payee, amount);
            CREATE TABLE uploads(id INTEGER PRIMARY KEY);
            WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {accounts}) INSERT INTO accounts SELECT id, {balance} FROM n;
            """));
        return Task.CompletedTask;
    }

    private static void Transfer(string database, int seed, CancellationToken stop)
    {
        var random = new Random(seed);
        using var bank = Open(database, SqliteOpenMode.ReadWrite);
        while (!stop.IsCancellationRequested)
        {
            var (payer, payee, amount) = (random.Next(1, accounts + 1), random.Next(1, accounts + 1), random.Next(1, 100));
            Ask<object>(bank, string.Create(CultureInfo.InvariantCulture,
                $"""
                BEGIN IMMEDIATE;
                UPDATE accounts SET balance = balance - {amount} WHERE id = {payer};
                UPDATE accounts SET balance = balance + {amount} WHERE id = {payee};
                INSERT INTO moves VALUES ({payer}, {payee}, {amount});
                COMMIT;
                """));
        }
    }

    private static List<long> Rows(SqliteConnection database)
    {
        using var command = database.CreateCommand();
        command.CommandText = "SELECT id FROM uploads";
        using var reader = command.ExecuteReader();
        var rows = new List<long>();
        while (reader.Read())
        {
            rows.Add(reader.GetInt64(0));
        }

        return rows;
    }

    private static SqliteConnection Open(string file, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Mode = mode, Pooling = false, DefaultTimeout = 60 }.ConnectionString);
        connection.Open();
        Ask<object>(connection, "PRAGMA synchronous = OFF");
        return connection;
    }

    private static T? Ask<T>(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (T?)command.ExecuteScalar();
    }
}
