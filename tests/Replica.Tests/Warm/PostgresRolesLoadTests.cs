using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Replica.Warm;
using Mirror.Testing;
using Mirror.Testing.Databases;

namespace Mirror.Replica.Tests.Warm;

/// <summary>Two real servers: one that was dumped, and one that loads.</summary>
public sealed class PostgresRolesLoadTests : IAsyncLifetime
{
    private const string Roles = "select string_agg(rolname || case when rolcanlogin then ' login' else '' end || case when rolpassword is null then '' else ' password' end, ', ' order by rolname) from pg_authid where rolname ~ '^(clerk|staff|Odd)'";

    private readonly TemporaryDirectory files = new();
    private PostgresSocketServer from = null!;
    private PostgresSocketServer to = null!;

    private string Dump => files["tree/.mirror/dumps/shop"];

    public async Task InitializeAsync()
    {
        from = PostgresSocketServer.Start();
        to = PostgresSocketServer.Start();
        files.Make("tree/.mirror/dumps");
        await from.QueryAsync("postgres", "create role clerk login password 'never-to-be-seen'");
        await from.QueryAsync("postgres", "create role staff; grant staff to clerk; alter role clerk set work_mem = '7MB'; create role \"Odd; \"\"name\"\" -- ' x\" login");
        await from.QueryAsync("postgres", "create database shop");
        await from.QueryAsync("shop", "create table items(name text); insert into items values ('tea'); grant select on items to staff; grant insert on items to \"Odd; \"\"name\"\" -- ' x\"");
        await PostgresTool.RunAsync("pg_dump", from.Connection("shop"), ["--format=directory", "--compress=0", "--file=" + Dump], CancellationToken.None);
        await File.WriteAllTextAsync(Dump + ".roles.sql", await PostgresTool.RunAsync("pg_dumpall", from.Connection("shop"), ["--globals-only"], CancellationToken.None));
    }

    public async Task DisposeAsync()
    {
        await from.DisposeAsync();
        await to.DisposeAsync();
        files.Dispose();
    }

    [Fact]
    public async Task Roles_that_are_missing_are_made_with_passwords_settings_and_memberships_and_what_is_granted_to_them_holds()
    {
        await LoadAsync("mirror");

        Assert.Equal("Odd; \"name\" -- ' x login, clerk login password, staff", (await to.QueryAsync("postgres", Roles)).Trim());
        Assert.Equal("7MB", (await to.QueryAsync("postgres", "select split_part(unnest(rolconfig), '=', 2) from pg_roles where rolname = 'clerk'")).Trim());
        Assert.Equal("tea", (await to.QueryAsync("shop_mirror_a", "set role clerk; select * from items")).Trim());

        // The hash came over as it is.
        var same = "select md5(rolpassword) from pg_authid where rolname = 'clerk'";
        Assert.Equal(await from.QueryAsync("postgres", same), await to.QueryAsync("postgres", same));
        await LoadAsync("mirror");
    }

    [Fact]
    public async Task A_role_that_is_there_is_left_as_it_is()
    {
        await to.QueryAsync("postgres", "create role clerk password 'of its own' connection limit 3; alter role clerk set work_mem = '9MB'");
        var before = await to.QueryAsync("postgres", "select rolpassword, rolcanlogin, rolconnlimit from pg_authid where rolname = 'clerk'");

        await LoadAsync("mirror");

        Assert.Equal(before, await to.QueryAsync("postgres", "select rolpassword, rolcanlogin, rolconnlimit from pg_authid where rolname = 'clerk'"));
        Assert.Equal("9MB", (await to.QueryAsync("postgres", "select split_part(unnest(rolconfig), '=', 2) from pg_roles where rolname = 'clerk'")).Trim());
        Assert.Equal("", (await to.QueryAsync("postgres", "select 1 from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname = 'clerk'")).Trim());
    }

    [Fact]
    public async Task Who_may_not_make_them_is_told_so_when_the_dump_needs_one_and_no_password_is_in_the_words()
    {
        await to.QueryAsync("postgres", "create role humble login createdb");

        var failure = await Assert.ThrowsAsync<LoadException>(() => LoadAsync("humble"));

        Assert.Contains("The dump of shop could not be loaded", failure.Message, StringComparison.Ordinal);
        Assert.Contains("clerk: permission denied to create role", failure.Message, StringComparison.Ordinal);
        Assert.Contains("CREATEROLE", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("SCRAM", failure.ToString(), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.GetTempPath(), "mirror-*.sql"));

        // A dump that grants nothing to anybody is loaded as ever.
        await from.QueryAsync("shop", "revoke all on items from staff, \"Odd; \"\"name\"\" -- ' x\"");
        Directory.Delete(Dump, recursive: true);
        await PostgresTool.RunAsync("pg_dump", from.Connection("shop"), ["--format=directory", "--no-acl", "--compress=0", "--file=" + Dump], CancellationToken.None);
        await LoadAsync("humble");
    }

    [Fact]
    public async Task What_is_no_statement_about_a_new_role_is_not_run()
    {
        await File.AppendAllTextAsync(Dump + ".roles.sql", """
            CREATE ROLE evil; CREATE TABLE made_by_a_dump();
            ALTER ROLE mirror WITH NOLOGIN;
            GRANT pg_read_server_files TO staff; DROP TABLE items;
            \! touch /tmp/never
            ALTER ROLE evil SET work_mem = '1MB'
            \! touch /tmp/never
            ;
            """);

        await LoadAsync("mirror");

        Assert.Equal("t", (await to.QueryAsync("postgres", "select rolcanlogin from pg_roles where rolname = 'mirror'")).Trim());
        Assert.Equal("", (await to.QueryAsync("postgres", "select 1 from pg_class where relname = 'made_by_a_dump'")).Trim());
        Assert.False(File.Exists("/tmp/never"));
    }

    private Task LoadAsync(string user) => new SlotLoader(new SiteConfig(
        "wiki", "alpha", ["alpha"], ["alpha"], new FilesConfig("/srv", [], TimeSpan.Zero, TimeSpan.Zero),
        [to.Database("shop", user)], [], [], [], false), TimeProvider.System).LoadAsync(files["tree"], "a", CancellationToken.None);
}
