using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;
using Mirror.Primary.Capture.Databases;
using Mirror.Replica.Warm;
using Mirror.Testing;
using Mirror.Testing.Databases;

namespace Mirror.Scenarios;

/// <summary>A dump as a capture makes it, back into databases of a real MariaDB server that others use meanwhile.</summary>
[Collection("one cluster at a time")]
public sealed class MariaDbReloadTests : IAsyncLifetime, IDisposable
{
    private const string Shop = """
        create table items(name varchar(40) primary key);
        create table parts(id int primary key auto_increment, item varchar(40) not null, foreign key (item) references items(name));
        create table log(what varchar(40));
        insert into items values ('as it was');
        insert into parts(item) values ('as it was'), ('as it was');
        create view counted as select item, count(*) as n from parts group by item;
        delimiter ;;
        create trigger noted after insert on items for each row insert into log values (new.name);;
        create procedure which() select 'the old one' as which;;
        create event nightly on schedule every 1 day do delete from log;;
        delimiter ;
        """;

    private readonly TemporaryDirectory files = new();
    private MariaDbServer server = null!;

    public async Task InitializeAsync()
    {
        server = await MariaDbServer.StartAsync();
        server.Load("mysql", "create database shop character set utf8mb4");
        server.Load("shop", Shop);
        var spool = files.Make("dumps");
        await new SiteDumps(Site("shop"), files.Path, SlotDatabases.Unadopted, spool, TimeProvider.System).RunAsync(null, CancellationToken.None);
        server.Load("shop", """
            insert into items values ('newest');
            create table added(id int primary key);
            drop procedure which;
            delimiter ;;
            create procedure which() select 'the new one' as which;;
            create trigger newer after delete on items for each row insert into log values ('gone');;
            delimiter ;
            create view extra as select name from items;
            """);
    }

    public async Task DisposeAsync() => await server.DisposeAsync();

    public void Dispose() => files.Dispose();

    [Fact]
    public async Task The_database_is_exchanged_with_all_that_belongs_to_it_and_its_state_is_kept()
    {
        using var stop = new CancellationTokenSource();
        var app = UseAsync(stop.Token);
        var target = Assert.Single(await PlanAsync("shop"));
        Assert.StartsWith("the MariaDB database shop on /", target.Target, StringComparison.Ordinal);
        Assert.True(target.Exists);

        await Reload("shop").RunAsync([target], files["dumps"], _ => { }, CancellationToken.None);

        await stop.CancelAsync();
        Assert.Equal(["as it was", "as it was,newest"], (await app).Order(StringComparer.Ordinal));
        Assert.Equal("as it was", await ItemsAsync("shop"));
        Assert.Equal("the old one", await server.ValueAsync("shop", "call which();"));
        Assert.Equal("2", await server.ValueAsync("shop", "select n from counted;"));
        await server.QueryAsync("shop", "insert into items values ('written since');");
        Assert.Equal("written since", await server.ValueAsync("shop", "select what from log where what = 'written since';"));
        Assert.Equal(["counted", "items", "log", "parts"], await TablesAsync("shop"));
        Assert.Equal("ENABLED", await server.ValueAsync("mysql", "select status from information_schema.events where event_schema = 'shop';"));

        var kept = target.KeptAs["the database ".Length..];
        Assert.Equal("as it was,newest", await ItemsAsync(kept));
        Assert.Equal("the new one", await server.ValueAsync(kept, "call which();"));
        Assert.Equal("2", await server.ValueAsync(kept, "select n from counted;"));
        Assert.Equal(["added", "counted", "extra", "items", "log", "parts"], await TablesAsync(kept));
        Assert.Equal(["newer", "noted"], await NamesAsync($"select trigger_name from information_schema.triggers where trigger_schema = '{kept}' order by 1;"));
        Assert.Equal("DISABLED", await server.ValueAsync("mysql", $"select status from information_schema.events where event_schema = '{kept}';"));
        Assert.Equal(["shop", kept], await DatabasesAsync());

        // What is kept is bound to itself, not to the tables that took its place.
        Assert.Contains("foreign key constraint fails", (await Assert.ThrowsAsync<ToolException>(() => server.QueryAsync(kept, "insert into parts(item) values ('written since');"))).Message, StringComparison.Ordinal);
        await server.QueryAsync(kept, "insert into parts(item) values ('newest');");
    }

    [Fact]
    public async Task Where_there_is_none_it_is_made()
    {
        var absent = Assert.Single(await PlanAsync("shop_old"));
        Assert.False(absent.Exists);

        await Reload("shop_old").RunAsync([absent], files["dumps"], _ => { }, CancellationToken.None);

        Assert.Equal("as it was", await ItemsAsync("shop_old"));
        Assert.Equal("the old one", await server.ValueAsync("shop_old", "call which();"));
        Assert.Equal(["shop", "shop_old"], await DatabasesAsync());
    }

    [Fact]
    public async Task A_dump_that_does_not_load_changes_nothing_and_leaves_nothing()
    {
        await File.AppendAllTextAsync(files["dumps/shop/table.parts.sql"], "INSERT INTO `nothing` VALUES (1);\n");
        var targets = await PlanAsync("shop");

        var failure = await Assert.ThrowsAsync<LoadException>(() => Reload("shop").RunAsync(targets, files["dumps"], _ => { }, CancellationToken.None));

        Assert.Contains("No database was changed.", failure.Message, StringComparison.Ordinal);
        Assert.Equal("as it was,newest", await ItemsAsync("shop"));
        Assert.Equal(["shop"], await DatabasesAsync());
    }

    [Fact]
    public async Task What_was_kept_before_is_never_touched()
    {
        var target = Assert.Single(await PlanAsync("shop"));
        var kept = target.KeptAs["the database ".Length..];
        server.Load("mysql", $"create database {kept}; create table {kept}.precious(id int)");

        var failure = await Assert.ThrowsAsync<LoadException>(() => Reload("shop").RunAsync([target], files["dumps"], _ => { }, CancellationToken.None));

        Assert.Contains("database exists", failure.Message, StringComparison.Ordinal);
        Assert.Equal(["precious"], await TablesAsync(kept));
        Assert.Equal("as it was,newest", await ItemsAsync("shop"));
        Assert.Equal(["added", "counted", "extra", "items", "log", "parts"], await TablesAsync("shop"));
    }

    [Fact]
    public async Task When_the_tables_cannot_change_places_everything_is_as_it_was()
    {
        // Who may do everything but fill the database that would keep the tables.
        await server.QueryAsync("mysql", """
            create user limited@localhost;
            grant select, create, drop, super, trigger, event, execute, create routine, alter routine, create view, show view, lock tables on *.* to limited@localhost;
            grant all on shop.* to limited@localhost;
            grant all on shop_mirror_loading.* to limited@localhost;
            """);
        var limited = new DatabaseReload(Site("shop", "limited"), files["kept"], TimeProvider.System);
        var targets = await limited.PlanAsync(files.Path, SlotDatabases.Unadopted, [], CancellationToken.None);

        var failure = await Assert.ThrowsAsync<LoadException>(() => limited.RunAsync(targets, files["dumps"], _ => { }, CancellationToken.None));

        Assert.Contains("INSERT", failure.Message, StringComparison.Ordinal);
        Assert.Contains("command denied", failure.Message, StringComparison.Ordinal);
        Assert.Equal(["shop"], await DatabasesAsync());
        Assert.Equal("as it was,newest", await ItemsAsync("shop"));
        Assert.Equal("the new one", await server.ValueAsync("shop", "call which();"));
        Assert.Equal(["newer", "noted"], await NamesAsync("select trigger_name from information_schema.triggers where trigger_schema = 'shop' order by 1;"));
        Assert.Equal(["added", "counted", "extra", "items", "log", "parts"], await TablesAsync("shop"));
    }

    private Task<IReadOnlyList<DatabaseTarget>> PlanAsync(string database) => Reload(database).PlanAsync(files.Path, SlotDatabases.Unadopted, [], CancellationToken.None);

    private DatabaseReload Reload(string database) => new(Site(database), files["kept"], TimeProvider.System);

    private SiteConfig Site(string database, string user = "root") => new(
        "shop", "alpha", ["alpha"], ["alpha"], new FilesConfig("/srv", [], TimeSpan.Zero, TimeSpan.Zero), [server.Database(database, user) with { Name = "shop" }], [], [], [], false);

    // Sees the old state or the new one, and nothing between.
    private async Task<HashSet<string>> UseAsync(CancellationToken stop)
    {
        var seen = new HashSet<string>();
        while (!stop.IsCancellationRequested)
        {
            seen.Add(await ItemsAsync("shop"));
        }

        seen.Add(await ItemsAsync("shop"));
        return seen;
    }

    private Task<string> ItemsAsync(string database) => server.ValueAsync(database, "select group_concat(name order by name) from items;");

    private Task<string[]> TablesAsync(string database) => NamesAsync($"select table_name from information_schema.tables where table_schema = '{database}' order by 1;");

    private Task<string[]> DatabasesAsync() =>
        NamesAsync("select schema_name from information_schema.schemata where schema_name not in ('mysql', 'sys', 'information_schema', 'performance_schema') order by 1;");

    private async Task<string[]> NamesAsync(string sql) => [.. (await server.QueryAsync("mysql", sql)).Select(row => row[0])];
}
