using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Replica.Warm;
using Mirror.Testing;

namespace Mirror.Scenarios;

/// <summary>Old dumps into databases of a real PostgreSQL server that others use meanwhile.</summary>
[Collection("one cluster at a time")]
public sealed class DatabaseReloadTests : IAsyncLifetime, IDisposable
{
    private readonly TemporaryDirectory files = new();
    private PostgresServer server = null!;

    public async Task InitializeAsync()
    {
        server = await PostgresServer.StartAsync();
        await server.QueryAsync("postgres", "create database shop");
        await server.QueryAsync("shop", "create table items(name text); insert into items values ('as it was')");
        files.Make("dumps");
        await PostgresTool.RunAsync("pg_dump", server.Connection("shop"), ["--format=directory", "--compress=0", "--file=" + files["dumps/shop"]], CancellationToken.None);
        await server.QueryAsync("shop", "update items set name = 'newest'");
    }

    public async Task DisposeAsync() => await server.DisposeAsync();

    public void Dispose() => files.Dispose();

    [Fact]
    public async Task The_database_is_exchanged_under_an_app_that_keeps_coming_back_and_its_state_is_kept()
    {
        using var stop = new CancellationTokenSource();
        var app = UseAsync(stop.Token);
        var target = Assert.Single(await PlanAsync("shop"));
        Assert.Equal($"the PostgreSQL database shop on 127.0.0.1:{server.Port}", target.Target);
        Assert.True(target.Exists);

        await Reload("shop").RunAsync([target], files["dumps"], _ => { }, CancellationToken.None);

        await stop.CancelAsync();
        await app;
        Assert.Equal("as it was", await ItemsAsync("shop"));
        var kept = target.KeptAs["the database ".Length..];
        Assert.Equal("newest", await ItemsAsync(kept));
        Assert.Equal(["postgres", "shop", kept], await DatabasesAsync());

        // A second time, and a database that is not there yet.
        var absent = Assert.Single(await PlanAsync("shop_old"));
        Assert.False(absent.Exists);
        await Reload("shop_old").RunAsync([absent], files["dumps"], _ => { }, CancellationToken.None);
        Assert.Equal("as it was", await ItemsAsync("shop_old"));
    }

    [Fact]
    public async Task A_dump_that_does_not_load_changes_nothing_and_leaves_nothing()
    {
        foreach (var table in Directory.GetFiles(files["dumps/shop"], "*.dat").Where(file => !file.EndsWith("toc.dat", StringComparison.Ordinal)))
        {
            await File.WriteAllTextAsync(table, "not\twhat\tthe table\thas");
        }

        var targets = await PlanAsync("shop");
        var failure = await Assert.ThrowsAsync<LoadException>(() => Reload("shop").RunAsync(targets, files["dumps"], _ => { }, CancellationToken.None));

        Assert.Contains("No database was changed.", failure.Message, StringComparison.Ordinal);
        Assert.Equal("newest", await ItemsAsync("shop"));
        Assert.Equal(["postgres", "shop"], await DatabasesAsync());
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_named()
    {
        var reload = Reload(new DatabaseConfig("shop", DatabaseKind.Postgres, null, "Host=127.0.0.1;Port=1;Database=shop;Username=mirror"));
        var failure = await Assert.ThrowsAsync<LoadException>(() => reload.PlanAsync(files.Path, SlotDatabases.Unadopted, [], CancellationToken.None));
        Assert.Contains("127.0.0.1:1", failure.Message, StringComparison.Ordinal);
    }

    private Task<IReadOnlyList<DatabaseTarget>> PlanAsync(string database) => Reload(database).PlanAsync(files.Path, SlotDatabases.Unadopted, [], CancellationToken.None);

    private DatabaseReload Reload(string database) => Reload(new DatabaseConfig("shop", DatabaseKind.Postgres, null, server.Connection(database)));

    private DatabaseReload Reload(DatabaseConfig database) => new(
        new SiteConfig("shop", "alpha", ["alpha"], ["alpha"], new FilesConfig("/srv", [], TimeSpan.Zero, TimeSpan.Zero), [database], [], [], [], false),
        files["kept"], TimeProvider.System);

    private Task<string> ItemsAsync(string database) => TrimmedAsync(server.QueryAsync(database, "select name from items"));

    private async Task<string[]> DatabasesAsync() =>
        (await TrimmedAsync(server.QueryAsync("postgres", "select datname from pg_database where not datistemplate order by datname"))).Split('\n');

    private static async Task<string> TrimmedAsync(Task<string> answer) => (await answer).Trim();

    /// <summary>Is sent away, and connects again at once. What it reads is the old state or the new one.</summary>
    private async Task UseAsync(CancellationToken cancellation)
    {
        while (!cancellation.IsCancellationRequested)
        {
            try
            {
                Assert.Contains(await TrimmedAsync(server.QueryAsync("shop", "select pg_sleep(0.2); select name from items")), (string[])["newest", "as it was"]);
            }
            catch (PostgresToolException)
            {
                // Sent away, or its database was being exchanged.
            }
        }
    }
}
