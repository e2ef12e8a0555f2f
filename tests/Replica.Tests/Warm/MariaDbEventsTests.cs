using Mirror.Node.Configuration;
using Mirror.Replica.Warm;
using Mirror.Testing;
using Mirror.Testing.Databases;

namespace Mirror.Replica.Tests.Warm;

/// <summary>A real server whose event scheduler is on.</summary>
public sealed class MariaDbEventsTests : IDisposable
{
    private const string Odd = "/*!50106 CREATE*/ EVENT `x` ON SCHEDULE EVERY 1 DAY ON COMPLETION PRESERVE ENABLE DO select 1";

    private const string Statuses = "select group_concat(concat(event_name, ' ', status) order by event_name separator ', ') from information_schema.events where event_schema = '";

    private readonly TemporaryDirectory files = new();

    public void Dispose() => files.Dispose();

    [Fact]
    public async Task Events_are_loaded_asleep_run_when_a_reign_begins_and_sleep_when_it_has_ended()
    {
        await using var server = await MariaDbServer.StartAsync();
        var site = Site(server.Database("shop"));
        await server.QueryAsync(null, "create database shop; set global event_scheduler = on;");
        server.Load("shop", $"""
            create table ran (name varchar(100));
            delimiter ;;
            create event ticks on schedule every 1 second starts '2020-01-01 00:00:00' comment 'ON COMPLETION PRESERVE ENABLE DO' do insert into ran values ('ticks');;
            create event `odd ``name` on schedule every '0:1' minute_second on completion preserve do begin insert into ran values ('{Odd}'); insert into ran values ("a\r\nb"); end;;
            create event off on schedule every 1 second disable do insert into ran values ('off');;
            create event once on schedule at now() + interval 1 hour do insert into ran values ('once');;
            create procedure p() begin select '
            {Odd}
            '; end;;
            """);
        var dump = files.Make("tree/.mirror/dumps/shop");
        Shell.Run(
            "cd \"$1\"; mariadb-dump --no-defaults --socket=\"$2\" --user=root --no-create-info --no-data --routines --events shop >routines.sql; mariadb-dump --no-defaults --socket=\"$2\" --user=root --no-data shop >table.ran.sql; " +
            "printf 'charset utf8mb4\\ncollation utf8mb4_general_ci\\nfile table.ran.sql\\nfile routines.sql\\n' >contents",
            dump, server.Connection("shop").Split(';')[0]["Server=".Length..]);

        await new SlotLoader(site, TimeProvider.System).LoadAsync(files["tree"], "a", CancellationToken.None);

        // The scheduler is at work meanwhile, in the database that the dump is of.
        await server.QueryAsync("shop", "delete from ran;");
        await server.UntilAsync("shop", "select count(*) >= 3 from ran where name = 'ticks';");
        Assert.Equal("0", await server.ValueAsync("shop_mirror_a", "select count(*) from ran;"));
        Assert.Equal("odd `name SLAVESIDE_DISABLED, off DISABLED, once SLAVESIDE_DISABLED, ticks SLAVESIDE_DISABLED", await server.ValueAsync("mysql", Statuses + "shop_mirror_a';"));
        foreach (var body in new[] { "event_definition from information_schema.events where event_name like 'odd%' and event_schema", "routine_definition from information_schema.routines where routine_schema" })
        {
            Assert.Equal(await server.ValueAsync("mysql", $"select {body} = 'shop';"), await server.ValueAsync("mysql", $"select {body} = 'shop_mirror_a';"));
        }

        Assert.Equal(3, await MariaDbEvents.WakeAsync(site, files["tree"], "a", TimeProvider.System, CancellationToken.None));
        Assert.Equal("odd `name ENABLED, off DISABLED, once ENABLED, ticks ENABLED", await server.ValueAsync("mysql", Statuses + "shop_mirror_a';"));
        await server.UntilAsync("shop_mirror_a", "select count(*) >= 2 from ran where name = 'ticks';");

        Assert.Equal(3, await MariaDbEvents.PutToSleepAsync(site, files["tree"], "a", TimeProvider.System, CancellationToken.None));

        // One that ran already ends first.
        foreach (var database in new[] { "shop", "shop_mirror_a", "shop" })
        {
            await server.UntilAsync("shop", "select count(*) >= 2 from ran where name = 'ticks';");
            await server.QueryAsync(database, "delete from ran;");
        }

        await server.UntilAsync("shop", "select count(*) >= 3 from ran where name = 'ticks';");
        Assert.Equal("0", await server.ValueAsync("shop_mirror_a", "select count(*) from ran where name = 'ticks';"));
        Assert.Equal("odd `name ENABLED, off DISABLED, once ENABLED, ticks ENABLED", await server.ValueAsync("mysql", Statuses + "shop';"));
    }

    private static SiteConfig Site(DatabaseConfig database) => new(
        "wiki", "alpha", ["alpha"], ["alpha"], new FilesConfig("/srv", [], TimeSpan.Zero, TimeSpan.Zero), [database], [], [], [], false);
}
