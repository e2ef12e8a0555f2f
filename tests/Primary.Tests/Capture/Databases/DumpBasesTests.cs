using Microsoft.Data.Sqlite;
using Mirror.Primary.Capture;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Capture.Databases;

/// <summary>With the last dump at hand a delta is exact to the byte; without it, it is what block signatures find. Both lead the replica to the same dump.</summary>
public sealed class DumpBasesTests
{
    private const int Rows = 4000;

    [Fact]
    public async Task Rows_changed_here_and_there_cost_several_times_less_with_the_last_dump_at_hand()
    {
        await using var site = await LiveSite.MakeAsync(database: "site.db");
        await using var app = Fill(site);
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);

        Change(app, 1);
        var exact = await site.CaptureAsync();
        Directory.Delete(Before(site), recursive: true);
        Change(app, 2);
        var rough = await site.CaptureAsync();

        await LiveSite.StageAsync(replica, exact.Pack!);
        await LiveSite.StageAsync(replica, rough.Pack!);
        Assert.Equal(File.ReadAllBytes(Path.Combine(site.Spool, "pages.sqlite")), File.ReadAllBytes(Path.Combine(replica.HeadTree, ".mirror/dumps/pages.sqlite")));
        var (smaller, larger) = (DumpBlob(exact), DumpBlob(rough));
        Assert.True(3 * smaller < larger, $"{smaller} bytes with the last dump, {larger} without");
    }

    [Fact]
    public async Task What_is_kept_is_the_dump_of_the_last_version_and_nothing_else()
    {
        await using var site = await LiveSite.MakeAsync(database: "site.db");
        await using var app = Fill(site);
        for (var round = 1; round <= 3; round++)
        {
            await site.CaptureAsync();
            var dump = site.Store.HeadManifest.Entries.Single(entry => entry.Path.ToString() == ".mirror/dumps/pages.sqlite");

            Assert.Equal([dump.Hash.ToString()], Directory.GetFiles(Before(site)).Select(Path.GetFileName));
            Assert.Equal(dump.Hash.ToString(), Shell.Run("sha256sum <\"$1\"", Directory.GetFiles(Before(site)).Single())[..64]);
            Change(app, round);
        }
    }

    [Fact]
    public async Task A_dump_that_was_made_and_never_captured_is_no_basis()
    {
        await using var site = await LiveSite.MakeAsync(database: "site.db");
        await using var app = Fill(site);
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);

        // Dumped, and then the capture did not come about.
        Change(app, 1);
        await site.Dumps.RunAsync(site.Store, CancellationToken.None);
        Change(app, 2);

        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);
    }

    private static string Before(LiveSite site) => site.Spool + ".before";

    private static long DumpBlob(CaptureResult captured)
    {
        // The pack as a whole: the site has no other file that changes.
        Assert.Contains(".mirror/dumps/pages.sqlite", LiveSite.Put(captured));
        return new FileInfo(captured.Pack!).Length;
    }

    private static SqliteConnection Fill(LiveSite site)
    {
        var app = new SqliteConnection($"Data Source={Path.Combine(site.Root, "site.db")};Pooling=False");
        app.Open();
        Run(app, "create table page(id integer primary key, hits integer, body text)");
        Run(app, $"with recursive n(i) as (select 1 union all select i + 1 from n where i < {Rows}) insert into page select i, 1000000, hex(randomblob(300)) from n");
        return app;
    }

    // Every fiftieth row, a few bytes each.
    private static void Change(SqliteConnection app, int round) => Run(app, $"update page set hits = hits + {round} where id % 50 = {round}");

    private static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
