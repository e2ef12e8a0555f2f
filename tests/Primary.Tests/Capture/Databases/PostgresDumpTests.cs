using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Primary.Capture.Databases;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Testing;
using Mirror.Testing.Databases;

namespace Mirror.Primary.Tests.Capture.Databases;

public sealed class PostgresDumpTests : IClassFixture<PostgresDumpTests.Server>, IAsyncLifetime
{
    private static int made;

    private readonly PostgresSocketServer server;
    private readonly string name = $"shop{Interlocked.Increment(ref made)}";

    public PostgresDumpTests(Server shared) => server = shared.Running;

    public sealed class Server : IAsyncLifetime
    {
        public PostgresSocketServer Running { get; private set; } = null!;

        public Task InitializeAsync()
        {
            Running = PostgresSocketServer.Start();
            return Task.CompletedTask;
        }

        public async Task DisposeAsync() => await Running.DisposeAsync();
    }

    public Task InitializeAsync() => server.QueryAsync("postgres", $"create database {name}");

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Roles_are_beside_the_dump_without_their_passwords_and_the_same_each_time()
    {
        await server.QueryAsync("postgres", "create role clerk login password 'never-to-be-seen'; create role staff; grant staff to clerk");
        await server.QueryAsync(name, "create table items(name text); grant select on items to clerk");
        await using var site = await LiveSite.MakeAsync([server.Database(name)]);

        await site.CaptureAsync();

        var roles = File.ReadAllText(Path.Combine(site.Spool, name + ".roles.sql"));
        Assert.Contains("CREATE ROLE clerk;", roles, StringComparison.Ordinal);
        Assert.Contains("GRANT staff TO clerk", roles, StringComparison.Ordinal);
        Assert.DoesNotContain("SCRAM-SHA-256", roles, StringComparison.Ordinal);
        Assert.Null((await site.CaptureAsync()).Version);

        await using var whole = await LiveSite.MakeAsync([server.Database(name) with { Roles = PostgresRoles.Passwords }]);
        await whole.CaptureAsync();
        Assert.Contains("SCRAM-SHA-256$", File.ReadAllText(Path.Combine(whole.Spool, name + ".roles.sql")), StringComparison.Ordinal);
        await using var without = await LiveSite.MakeAsync([server.Database(name) with { Roles = PostgresRoles.None }]);
        await without.CaptureAsync();
        Assert.Equal([name], Directory.GetFileSystemEntries(without.Spool).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Who_may_not_read_passwords_is_told_what_to_write_and_reads_the_names()
    {
        await server.QueryAsync("postgres", "create role humble login");
        await server.QueryAsync(name, "create table items(name text); alter table items owner to humble");
        await using var names = await LiveSite.MakeAsync([server.Database(name, "humble")]);
        await names.CaptureAsync();
        Assert.Contains("CREATE ROLE humble;", File.ReadAllText(Path.Combine(names.Spool, name + ".roles.sql")), StringComparison.Ordinal);
        await using var passwords = await LiveSite.MakeAsync([server.Database(name, "humble") with { Roles = PostgresRoles.Passwords }]);

        var failure = await Assert.ThrowsAsync<CaptureException>(() => passwords.CaptureAsync());

        Assert.Contains("pg_authid", failure.Message, StringComparison.Ordinal);
        Assert.Contains("`roles: names`", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_the_table_that_changed_is_read_again()
    {
        await server.QueryAsync(name, "create table busy as select i, md5(i::text) from generate_series(1, 2000) i; create table quiet as select * from busy");
        await using var site = await LiveSite.MakeAsync([server.Database(name)]);
        await site.CaptureAsync();
        await server.QueryAsync(name, "insert into busy values (0, 'new')");
        var captured = await site.CaptureAsync();

        Assert.Equal(1, captured.FilesRead);
        Assert.Single(LiveSite.Put(captured), path => path.EndsWith(".dat", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Large_tables_are_hashed_and_compared_while_they_are_dumped()
    {
        await server.QueryAsync(name, "create table busy as select i, md5(i::text) word from generate_series(1, 40000) i; create table quiet as select i, md5((-i)::text) word from generate_series(1, 40000) i");
        await using var site = await LiveSite.MakeAsync([server.Database(name)]);
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);
        var tables = Tables(site);
        Assert.Null((await site.CaptureAsync()).Version);
        Assert.Equal(tables, Tables(site));
        await server.QueryAsync(name, "update busy set word = 'new' where i % 1000 = 1");

        var contents = await site.Dumps.RunAsync(site.Store, CancellationToken.None);
        var found = Assert.Single(Directory.GetFiles(site.Spool, "*.dat", SearchOption.AllDirectories), file => FoundIn(contents, site, file) is not null);
        Assert.Contains("\tnew\n", await File.ReadAllTextAsync(found), StringComparison.Ordinal);
        Assert.NotNull(FoundIn(contents, site, found)!.Copies);
        Assert.Equal(FoundIn(contents, site, found)!.Hash.ToString(), Shell.Run("sha256sum <\"$1\"", found)[..64]);
        Assert.Single(Tables(site).Except(tables));

        await server.QueryAsync(name, "update busy set word = 'newer' where i % 1000 = 2; insert into quiet values (0, 'more')");
        var captured = await site.CaptureAsync();
        await LiveSite.StageAsync(replica, captured.Pack!);
        Assert.InRange(new FileInfo(captured.Pack!).Length, 1, 30_000);
        Assert.Empty(Shell.Run("diff -r \"$1\" \"$2\"", site.Spool, Path.Combine(replica.HeadTree, ".mirror/dumps")));

        static FollowedFile? FoundIn(DumpContents contents, LiveSite site, string file)
        {
            var path = EntryPath.Parse(Path.GetRelativePath(site.Spool, file));
            return contents.Find(EntryPath.Parse(".mirror/dumps/" + path), TreeScanner.Stat(site.Spool, path)!.Value);
        }

        // Names and inodes.
        static string[] Tables(LiveSite site) => Shell.Run("find \"$1\" -name '[0-9]*.dat' -printf '%p %i\n' | sort", site.Spool).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_dump_that_is_killed_in_its_midst_fails_the_capture(bool client)
    {
        await server.QueryAsync(name, "create table items as select i, repeat('x', 500) from generate_series(1, 100) i");
        await using var site = await LiveSite.MakeAsync([server.Database(name)]);
        await site.CaptureAsync();
        var head = site.Store.Head!.Id;

        await server.QueryAsync(name, "create table slow as select i from generate_series(1, 1000) i");
        await server.QueryAsync(name, "insert into items values (0, 'new')");
        var locking = LockAsync("slow");
        await server.UntilAsync(name, $"select count(*) from pg_locks l join pg_database d on d.oid = l.database where d.datname = '{name}' and mode = 'AccessExclusiveLock' and granted and relation = 'slow'::regclass");
        var capture = site.CaptureAsync();
        var dump = $"from pg_stat_activity where application_name = 'pg_dump' and datname = '{name}' and wait_event_type = 'Lock'";
        await server.UntilAsync(name, $"select count(*) {dump}");

        if (client)
        {
            Shell.Run("kill -9 \"$1\"", Assert.Single(Processes.With($"{site.Spool}/{name}.tmp")).Id.ToString(CultureInfo.InvariantCulture));
        }
        else
        {
            // The server ends all sessions then, and comes back.
            Shell.Run("kill -9 \"$1\"", (await server.QueryAsync(name, $"select pid {dump}")).Trim());
        }

        var failure = await Assert.ThrowsAsync<CaptureException>(() => capture);
        if (client)
        {
            await server.QueryAsync("postgres", $"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and query like '%pg_sleep%' and pid <> pg_backend_pid()");
        }

        // Of a server that lost one of its processes this is the word that it knows: whom it lets in from here on it keeps.
        await Assert.ThrowsAsync<PostgresToolException>(() => locking);
        await server.UntilAsync("postgres", "select 1");

        Assert.Contains($"The database {name} could not be dumped: pg_dump ended with exit code {(client ? "137" : "1")}", failure.Message, StringComparison.Ordinal);
        Assert.Equal(head, site.Store.Head!.Id);
        Assert.Equal([name, name + ".roles.sql"], Directory.GetFileSystemEntries(site.Spool).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Contains("new", string.Concat(await CapturedAsync(site)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_password_is_read_from_a_file_and_shows_nowhere_in_the_list_of_processes()
    {
        const string Password = "swordfish-4711";
        await server.QueryAsync("postgres", $"create role guarded login superuser password '{Password}'");
        await server.QueryAsync(name, "create table items(name text)");
        var database = server.Database(name, "guarded");
        await using var refused = await LiveSite.MakeAsync([database]);
        Assert.Contains("no password supplied", (await Assert.ThrowsAsync<CaptureException>(() => refused.CaptureAsync())).Message, StringComparison.Ordinal);
        var file = refused.Files["pgpass"];
        File.WriteAllText(file, $"*:*:*:guarded:{Password}\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using var site = await LiveSite.MakeAsync([database with { Connection = database.Connection + ";Passfile=" + file, Within = TimeSpan.FromSeconds(8) }]);
        var time = new FakeTimeProvider();
        var dumps = site.DumpsBy(time);
        await dumps.RunAsync(null, CancellationToken.None);
        var locking = LockAsync("items");
        await server.UntilAsync(name, "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = 'items'::regclass");
        var dump = dumps.RunAsync(null, CancellationToken.None);
        await server.UntilAsync(name, $"select count(*) from pg_stat_activity where application_name = 'pg_dump' and datname = '{name}' and wait_event_type = 'Lock'");

        Assert.NotEmpty(Processes.With($"{site.Spool}/{name}.tmp"));
        Assert.Empty(Processes.With(Password));
        time.Advance(TimeSpan.FromSeconds(8));
        var failure = await Assert.ThrowsAsync<CaptureException>(() => dump);
        await server.QueryAsync("postgres", $"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and query like '%pg_sleep%' and pid <> pg_backend_pid()");
        await Assert.ThrowsAsync<PostgresToolException>(() => locking);

        Assert.Contains("was still running after 8s, and was stopped", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pg_dump: error: aborting because of server version mismatch\npg_dump: detail: server version: 17.2; pg_dump version: 15.18 (Debian 15.18-0+deb12u1)", true)]
    [InlineData("pg_dump: error: connection to server failed: FATAL: the database system is starting up", false)]
    public void A_client_older_than_the_server_is_told_so(string said, bool older)
    {
        // What pg_dump of version 15 says of a server of version 17.
        var explained = Mirror.Primary.Capture.Databases.PostgresDump.WhenOlder("shop", new PostgresToolException("pg_dump ended with exit code 1: " + said));

        Assert.Equal(older, explained is not null);
        Assert.Equal(older, explained?.Message.Contains("older than the server. Install a client of the server's major version or newer. (pg_dump ended", StringComparison.Ordinal) ?? false);
    }

    private Task<string> LockAsync(string table) => server.QueryAsync(name, $"begin; lock table {table} in access exclusive mode; select pg_sleep(600)");

    private static async Task<IEnumerable<string>> CapturedAsync(LiveSite site)
    {
        await site.CaptureAsync();
        return Directory.GetFiles(site.Spool, "*.dat", SearchOption.AllDirectories).Where(file => Path.GetFileName(file) != "toc.dat").Select(File.ReadAllText);
    }
}
