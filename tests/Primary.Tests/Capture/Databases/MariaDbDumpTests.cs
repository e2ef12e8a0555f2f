using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Testing;
using Mirror.Testing.Databases;

namespace Mirror.Primary.Tests.Capture.Databases;

public sealed class MariaDbDumpTests : IClassFixture<MariaDbDumpTests.Server>
{
    private const string Transfer = """
        create table account(id int primary key, balance bigint not null) engine=InnoDB;
        create table savings like account;
        insert into account select seq, 1000 from seq_1_to_500;
        insert into savings select * from account;
        delimiter ;;
        create procedure transfer(rounds int)
        begin
          declare i int default 0;
          while i < rounds do
            start transaction;
            update account set balance = balance - 1 where id = 1 + i % 500;
            update savings set balance = balance + 1 where id = 1 + (i * 7) % 500;
            commit;
            set i = i + 1;
          end while;
        end;;
        delimiter ;
        """;

    private static int made;

    private readonly MariaDbServer server;
    private readonly string name = $"shop{Interlocked.Increment(ref made)}";

    public MariaDbDumpTests(Server shared)
    {
        server = shared.Running;
        server.Load("mysql", $"create database {name} character set utf8mb4 collate utf8mb4_general_ci");
    }

    public sealed class Server : IAsyncLifetime
    {
        public MariaDbServer Running { get; private set; } = null!;

        public async Task InitializeAsync() => Running = await MariaDbServer.StartAsync();

        public async Task DisposeAsync() => await Running.DisposeAsync();
    }

    [Fact]
    public async Task The_files_one_after_another_are_a_dump_of_everything_a_table_a_file()
    {
        server.Load(name, """
            create table `odd/na``me` (id int primary key, t text, b blob, n int, g int generated always as (id * 2) stored);
            insert into `odd/na``me`(id, t, b, n) values (1, 'a\nb\'c\\d);\n-- Table structure for table `evil`\n', x'00ff0a270d1a', null), (2, 'VALUES (1),(2);', '', 7), (3, '😀 ü', null, 0);
            create table child(id int primary key auto_increment, parent int, foreign key (parent) references `odd/na``me`(id));
            insert into child(parent) select 1 + seq % 3 from seq_1_to_3000;
            create view both_of as select c.id, p.t from child c join `odd/na``me` p on p.id = c.parent;
            create sequence counter start with 5;
            create table log(what varchar(100));
            delimiter ;;
            create trigger noted after insert on child for each row
            begin
            --
            -- Table structure for table `child`
            --
              insert into log values ('one');
            insert into log values ('two');
            end;;
            create procedure hello() begin
            -- Dump completed
            select 'hello'; end;;
            create event nightly on schedule every 1 day do delete from log;;
            delimiter ;
            """);
        await using var site = await LiveSite.MakeAsync([server.Database(name)]);

        await site.CaptureAsync();

        var dump = Path.Combine(site.Spool, name);
        var files = File.ReadAllLines(Path.Combine(dump, "contents")).Where(line => line.StartsWith("file ", StringComparison.Ordinal)).Select(line => line[5..]).ToList();
        Assert.Equal(Directory.GetFiles(dump).Select(Path.GetFileName).Where(file => file != "contents").Order(StringComparer.Ordinal), files.Order(StringComparer.Ordinal));
        Assert.Contains("table.child.sql", files);
        Assert.Contains("table.odd%002fna%0060me.sql", files);
        var copy = name + "_copy";
        server.Load("mysql", $"create database {copy}");
        server.Load(copy, string.Concat(files.Select(file => File.ReadAllText(Path.Combine(dump, file)))));
        foreach (var table in new[] { "`odd/na``me`", "child", "log", "both_of" })
        {
            var rows = $"select group_concat(concat_ws('|', {(table == "child" ? "id, parent" : table == "log" ? "what" : table == "both_of" ? "id, t" : "id, t, hex(b), n, g")}) order by 1) from {table}";
            Assert.Equal(await server.ValueAsync(name, $"set group_concat_max_len = 1 << 24; {rows};"), await server.ValueAsync(copy, $"set group_concat_max_len = 1 << 24; {rows};"));
        }

        await server.QueryAsync(copy, "insert into child(parent) values (2);");
        Assert.Equal("2", await server.ValueAsync(copy, "select count(*) from log;"));
        Assert.Equal("hello", await server.ValueAsync(copy, "call hello();"));
        Assert.Equal("5", await server.ValueAsync(copy, "select nextval(counter);"));
        Assert.Equal("nightly", await server.ValueAsync(copy, $"select event_name from information_schema.events where event_schema = '{copy}';"));
    }

    [Fact]
    public async Task All_tables_are_of_one_moment_while_money_moves_between_them()
    {
        server.Load(name, Transfer);
        await using var site = await LiveSite.MakeAsync([server.Database(name)]);
        using var moving = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 2).Select(_ => MoveAsync(moving.Token)).ToList();
        await server.UntilAsync(name, "select count(*) > 0 from account where balance < 1000;");
        var sums = new HashSet<string>();
        try
        {
            for (var round = 0; round < 10; round++)
            {
                await site.CaptureAsync();
                var dump = Path.Combine(site.Spool, name);
                var account = Balances(Path.Combine(dump, "table.account.sql"));
                Assert.Equal(500, account.Count);
                Assert.Equal(1_000_000, account.Sum() + Balances(Path.Combine(dump, "table.savings.sql")).Sum());
                sums.Add(account.Sum().ToString(CultureInfo.InvariantCulture));
            }
        }
        finally
        {
            await moving.CancelAsync();
            await Task.WhenAll(writers);
        }

        // They did move meanwhile.
        Assert.True(sums.Count > 1, string.Join(", ", sums));
    }

    [Fact]
    public async Task A_row_more_in_the_middle_costs_little_and_tables_nobody_wrote_to_are_not_in_the_version()
    {
        server.Load(name, """
            create table page(id int primary key, body text) engine=InnoDB;
            insert into page select seq * 2, concat(sha2(seq, 512), sha2(seq + 1, 512)) from seq_1_to_20000;
            create table quiet like page;
            insert into quiet select * from page;
            """);
        await using var site = await LiveSite.MakeAsync([server.Database(name)]);
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);
        await server.QueryAsync(name, "insert into page values (12345, 'inserted between');");

        var captured = await site.CaptureAsync();

        Assert.Equal([$".mirror/dumps/{name}/table.page.sql"], LiveSite.Put(captured).Where(path => path.EndsWith(".sql", StringComparison.Ordinal)));
        Assert.Equal(1, captured.FilesRead);
        Assert.InRange(new FileInfo(captured.Pack!).Length, 1, 4096);
        await LiveSite.StageAsync(replica, captured.Pack!);
        Assert.Null((await site.CaptureAsync()).Version);
    }

    [Fact]
    public async Task Tables_that_are_gone_are_gone_from_the_dump()
    {
        server.Load(name, "create table one(id int primary key); create table two(id int primary key);");
        await using var site = await LiveSite.MakeAsync([server.Database(name)]);
        await site.CaptureAsync();
        await server.QueryAsync(name, "drop table one;");

        await site.CaptureAsync();

        Assert.Equal(["begin.sql", "contents", "routines.sql", "table.two.sql"], Directory.GetFiles(Path.Combine(site.Spool, name)).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_table_without_transactions_fails_the_capture_by_name_unless_writers_are_made_to_wait()
    {
        server.Load(name, "create table good(id int primary key) engine=InnoDB; create table torn(id int primary key) engine=MyISAM; insert into torn values (1);");
        await using var site = await LiveSite.MakeAsync([server.Database(name)]);

        var failure = await Assert.ThrowsAsync<CaptureException>(() => site.CaptureAsync());

        Assert.Contains("torn: MyISAM", failure.Message, StringComparison.Ordinal);
        Assert.Null(site.Store.Head);
        await using var locking = await LiveSite.MakeAsync([server.Database(name) with { LockTables = true }]);
        await locking.CaptureAsync();
        Assert.NotNull(locking.Store.Head);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_dump_that_is_killed_in_its_midst_fails_the_capture_and_the_last_one_stays(bool client)
    {
        server.Load(name, "create table a(id int primary key); insert into a values (1); create table b(id int primary key); insert into b values (1);");
        await using var site = await LiveSite.MakeAsync([server.Database(name)]);
        await site.CaptureAsync();
        await server.QueryAsync(name, "insert into a values (2);");
        var (lockId, locking) = await LockAsync("b");
        var capture = site.CaptureAsync();
        var waiting = await DumpWaitsAsync();

        if (client)
        {
            Shell.Run("kill -9 \"$1\"", Assert.Single(Processes.With($"-- {name} ")).Id.ToString(CultureInfo.InvariantCulture));
        }
        else
        {
            await server.QueryAsync(null, $"kill {waiting};");
        }

        var failure = await Assert.ThrowsAsync<CaptureException>(() => capture);
        await UnlockAsync(lockId, locking);

        Assert.Contains($"The database {name} could not be dumped: mariadb-dump ended with exit code {(client ? "137" : "")}", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("(2)", File.ReadAllText(Path.Combine(site.Spool, name, "table.a.sql")), StringComparison.Ordinal);
        await site.CaptureAsync();
        Assert.Contains("(2)", File.ReadAllText(Path.Combine(site.Spool, name, "table.a.sql")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dump_that_takes_too_long_is_stopped_and_no_password_shows_in_the_list_of_processes()
    {
        const string Password = "swordfish-0815";
        server.Load(name, "create table a(id int primary key); create table b(id int primary key);");
        await server.QueryAsync(null, $"create or replace user guarded@localhost identified by '{Password}'; grant all on {name}.* to guarded@localhost;");
        await using var site = await LiveSite.MakeAsync([]);
        var file = site.Files["client.cnf"];
        File.WriteAllText(file, $"[client]\npassword={Password}\n");
        await using var guarded = await LiveSite.MakeAsync([server.Database(name, "guarded") with { OptionFile = file, Within = TimeSpan.FromSeconds(8) }]);
        var time = new FakeTimeProvider();
        var dumps = guarded.DumpsBy(time);
        await dumps.RunAsync(null, CancellationToken.None);
        var (lockId, locking) = await LockAsync("b");
        var dump = dumps.RunAsync(null, CancellationToken.None);
        await DumpWaitsAsync();

        Assert.NotEmpty(Processes.With($"-- {name} "));
        Assert.Empty(Processes.With(Password));
        time.Advance(TimeSpan.FromSeconds(8));
        var failure = await Assert.ThrowsAsync<CaptureException>(() => dump);
        await UnlockAsync(lockId, locking);

        Assert.Contains("mariadb-dump was still running after 8s, and was killed", failure.Message, StringComparison.Ordinal);
        await Processes.UntilNoneAsync($"-- {name} ");
    }

    [Fact]
    public async Task A_wrong_password_and_a_database_that_is_not_there_are_said_as_the_server_says_them()
    {
        await server.QueryAsync(null, "create or replace user refused@localhost identified by 'something';");
        await using var refused = await LiveSite.MakeAsync([server.Database(name, "refused")]);
        Assert.Contains("Access denied for user 'refused'@'localhost'", (await Assert.ThrowsAsync<CaptureException>(() => refused.CaptureAsync())).Message, StringComparison.Ordinal);
        await using var absent = await LiveSite.MakeAsync([server.Database("absent")]);
        Assert.Contains("Unknown database 'absent'", (await Assert.ThrowsAsync<CaptureException>(() => absent.CaptureAsync())).Message, StringComparison.Ordinal);
    }

    private async Task MoveAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            await server.QueryAsync(name, "call transfer(500);");
        }
    }

    // A session that holds a table until it is killed.
    private async Task<(string Id, Task Session)> LockAsync(string table)
    {
        var session = Assert.ThrowsAsync<Mirror.Node.Processes.ToolException>(() => server.QueryAsync(name, $"lock tables {table} write; select sleep(600);"));
        var found = $"from information_schema.processlist where db = '{name}' and info like 'select sleep(600)%'";
        await server.UntilAsync(name, $"select count(*) {found} and id <> connection_id();");
        return (await server.ValueAsync(name, $"select id {found} and id <> connection_id();"), session);
    }

    private async Task UnlockAsync(string id, Task session)
    {
        await server.QueryAsync(null, $"kill {id};");
        await session;
    }

    private async Task<string> DumpWaitsAsync()
    {
        var found = $"from information_schema.processlist where db = '{name}' and state like 'Waiting for table%' and id <> connection_id()";
        await server.UntilAsync("mysql", $"select count(*) {found};");
        return await server.ValueAsync("mysql", $"select id {found};");
    }

    private static List<long> Balances(string file) =>
        [.. File.ReadLines(file).Where(line => line.StartsWith('(')).Select(line => long.Parse(line.TrimEnd(',', ';', ')').Split(',')[1], CultureInfo.InvariantCulture))];
}
