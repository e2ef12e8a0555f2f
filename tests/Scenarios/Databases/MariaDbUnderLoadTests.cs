using System.Diagnostics;
using System.Globalization;
using System.Text;
using Mirror.Node.Apps;
using Mirror.Testing;
using Mirror.Testing.Databases;
using Xunit.Abstractions;

namespace Mirror.Scenarios.Databases;

/// <summary>
/// Clients move money all the time, and a trigger keeps books of it; versions are made meanwhile. Each version's dump loads by the words of docs/operations.md, its sums are right over all tables, and its files
/// are those it speaks of.
/// </summary>
public sealed class MariaDbUnderLoadTests(ITestOutputHelper output)
{
    private const int accounts = 1000;
    private const int balance = 1000;
    private const int writers = 3;

    private const string wrongAccounts =
        "select count(*) from accounts a where balance <> 1000 + coalesce((select sum(amount) from moves where payee = a.id), 0) - coalesce((select sum(amount) from moves where payer = a.id), 0)";

    private const string wrongBooks =
        "select count(*) from books b where (entries, turnover) <> (select count(*), coalesce(sum(amount), 0) from moves where mod(payer, 10) = b.id)";

    private static readonly string schema = string.Create(CultureInfo.InvariantCulture,
        $"""
        create table accounts(id int primary key, balance int not null) engine=InnoDB;
        create table books(id int primary key, entries int not null default 0, turnover bigint not null default 0) engine=InnoDB;
        create table moves(id bigint primary key auto_increment, payer int not null, payee int not null, amount int not null, what varbinary(40) not null, key (payer), key (payee),
            foreign key (payer) references accounts(id), foreign key (payee) references accounts(id)) engine=InnoDB;
        create table uploads(id bigint primary key) engine=InnoDB;
        insert into accounts select seq, {balance} from seq_1_to_{accounts};
        insert into books(id) select seq from seq_0_to_9;
        create trigger booked after insert on moves for each row update books set entries = entries + 1, turnover = turnover + new.amount where id = mod(new.payer, 10);
        """);

    [Fact]
    public async Task Every_version_loads_and_passes_while_clients_move_money()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(15));
        await using var server = await MariaDbServer.StartAsync();
        await server.QueryAsync("mysql", "create database bank; create database loaded;");
        await server.QueryAsync("bank", schema);
        await using var site = await LoadedSite.StartAsync(server.Database("bank"), root =>
        {
            Uploads.Prepare(root);
            return Task.CompletedTask;
        }, limit.Token);

        using var stop = new CancellationTokenSource();
        var transfers = Enumerable.Range(1, writers).Select(seed => Task.Run(() => TransferAsync(server, seed, stop.Token))).ToArray();
        using var client = Start(server, "bank");
        using var uploads = new Uploads(site.Root, token => InsertAsync(client, token));
        var uploader = Task.Run(() => uploads.RunAsync(stop.Token));
        var ahead = 0;
        long moves = 0;
        try
        {
            for (var number = 0; number < LoadedSite.Captures; number++)
            {
                uploads.GoOn();
                var (version, tree) = await site.NextAsync(limit.Token);
                await server.QueryAsync("mysql", "drop database loaded; create database loaded;");
                Shell.Run(
                    "cd \"$1\" && sed -n 's/^file //p' contents | xargs -d '\\n' cat | mariadb --no-defaults --socket=\"$2\" --user=root loaded",
                    Path.Combine(tree, ".mirror", "dumps", "bank"), server.Socket);
                var found = await server.QueryAsync("loaded", $"select sum(balance), ({wrongAccounts}), ({wrongBooks}), (select count(*) from moves) from accounts; select id from uploads;");
                var now = long.Parse(found[0][3], CultureInfo.InvariantCulture);
                Assert.Equal([$"{accounts * balance}", "0", "0", $"{now}"], found[0]);
                ahead += Uploads.Check(tree, [.. found.Skip(1).Select(static row => long.Parse(row[0], CultureInfo.InvariantCulture))], $"version {version}");
                Assert.True(now >= moves, $"version {version} has {now} moves, and the one before had {moves}");
                moves = now;
                Assert.All(transfers, static writer => Assert.False(writer.IsCompleted, $"A client has ended: {writer.Exception}"));
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll([.. transfers, uploader]);
            client.StandardInput.Close();
            await client.WaitForExitAsync(CancellationToken.None);
        }

        Assert.True(moves > 0);
        output.WriteLine($"{LoadedSite.Captures} versions; {moves} moves in the last, {await uploader} uploads, {ahead} files that were in a version before their rows");
    }

    /// <summary>Transaction after transaction, each answered before the next; the client ends by itself when one fails.</summary>
    private static async Task TransferAsync(MariaDbServer server, int seed, CancellationToken stop)
    {
        var random = new Random(seed);
        var what = new byte[30];
        using var client = Start(server, "bank");
        while (!stop.IsCancellationRequested)
        {
            // Locks are taken in the order of ids: no transfer waits for one that waits for it.
            var lo = random.Next(1, accounts);
            var (hi, amount) = (random.Next(lo + 1, accounts + 1), random.Next(-100, 101));
            random.NextBytes(what);
            await client.StandardInput.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                $"""
                begin;
                update accounts set balance = balance - {amount} where id = {lo};
                update accounts set balance = balance + {amount} where id = {hi};
                insert into moves(payer, payee, amount, what) values ({lo}, {hi}, {amount}, 0x{Convert.ToHexString(what)});
                commit;
                select 'moved';
                """));
            await client.StandardInput.FlushAsync(CancellationToken.None);
            Assert.Equal("moved", await client.StandardOutput.ReadLineAsync(CancellationToken.None));
        }

        client.StandardInput.Close();
        await client.WaitForExitAsync(CancellationToken.None);
        Assert.Equal(0, client.ExitCode);
    }

    /// <summary>Committed when the client answers.</summary>
    private static async Task InsertAsync(Process client, long token)
    {
        await client.StandardInput.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"insert into uploads values ({token}) returning id;"));
        await client.StandardInput.FlushAsync();
        Assert.Equal(token.ToString(CultureInfo.InvariantCulture), await client.StandardOutput.ReadLineAsync());
    }

    private static Process Start(MariaDbServer server, string database)
    {
        var file = MariaDbTool.Find("mariadb") ?? throw new InvalidOperationException("mariadb is not installed; `./build.sh test` as root installs mariadb-server.");
        string[] words = ["--no-defaults", "--socket=" + server.Socket, "--user=root", "--batch", "--unbuffered", "--skip-column-names", database];
        return Process.Start(new ProcessStartInfo(file, words) { RedirectStandardInput = true, RedirectStandardOutput = true, StandardInputEncoding = new UTF8Encoding(false), WorkingDirectory = "/" })!;
    }
}
