using Microsoft.Data.Sqlite;
using Mirror.Node.Configuration;
using Mirror.Replica.Warm;
using Mirror.Testing;

namespace Mirror.Replica.Tests.Warm;

public sealed class SlotLoaderTests : IDisposable
{
    private readonly TemporaryDirectory files = new();
    private readonly string tree;

    public SlotLoaderTests()
    {
        tree = files.Make("tree");
        Directory.CreateDirectory(Path.GetDirectoryName(Dump)!);
    }

    private string Dump => Path.Combine(tree, ".mirror/dumps/main.sqlite");

    private string Live => Path.Combine(tree, "data/wiki.db");

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        files.Dispose();
    }

    [Fact]
    public async Task A_dump_is_loaded_as_a_private_copy_and_what_the_app_writes_leaves_the_dump_as_it_was()
    {
        Execute(Dump, "CREATE TABLE page(name TEXT); INSERT INTO page VALUES('home');");
        var before = File.ReadAllBytes(Dump);

        await Loader().LoadAsync(tree, "a", CancellationToken.None);
        Execute(Live, "INSERT INTO page VALUES('written by the app');");

        Assert.Equal(2L, Count(Live));
        Assert.Equal(before, File.ReadAllBytes(Dump));
        Assert.NotEqual(Inode(Dump), Inode(Live));
    }

    [Fact]
    public async Task Whatever_was_there_before_is_replaced_with_its_log()
    {
        Execute(Dump, "CREATE TABLE page(name TEXT); INSERT INTO page VALUES('home');");
        Directory.CreateDirectory(Path.GetDirectoryName(Live)!);
        foreach (var suffix in new[] { "", "-wal", "-shm", "-journal" })
        {
            File.WriteAllText(Live + suffix, "left behind by an app that was killed");
        }

        await Loader().LoadAsync(tree, "a", CancellationToken.None);

        Assert.Equal(["wiki.db"], Directory.GetFiles(Path.GetDirectoryName(Live)!).Select(Path.GetFileName));
        Assert.Equal(1L, Count(Live));
    }

    [Fact]
    public async Task A_version_without_the_dump_cannot_be_warm_and_the_database_is_named()
    {
        var failure = await Assert.ThrowsAsync<LoadException>(() => Loader().LoadAsync(tree, "a", CancellationToken.None));

        Assert.Contains("The dump of main could not be loaded", failure.Message, StringComparison.Ordinal);
    }

    private static SlotLoader Loader() => new(new SiteConfig(
        "wiki", "alpha", ["alpha"], ["alpha"], new FilesConfig("/srv", [], TimeSpan.Zero, TimeSpan.Zero),
        [new DatabaseConfig("main", DatabaseKind.Sqlite, "data/wiki.db", null)], [], [], [], false));

    private static string Inode(string path) => Shell.Run("stat -c %i \"$1\"", path).Trim();

    private static void Execute(string file, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static long Count(string file)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM page";
        return (long)command.ExecuteScalar()!;
    }
}
