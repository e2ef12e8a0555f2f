using Microsoft.Data.Sqlite;
using Mirror.Node.Configuration;
using Mirror.Replica.Warm;
using Mirror.Testing;
using Mirror.Testing.Databases;

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

    [Fact]
    public async Task A_dump_of_a_command_is_loaded_by_another_into_the_slots_own_place()
    {
        var dump = Path.Combine(tree, ".mirror/dumps/any");
        File.WriteAllText(dump, new string('d', 1 << 20));
        var database = new DatabaseConfig("any", DatabaseKind.Command, null, null)
        {
            Command = ["true"], Load = ["/bin/sh", "-c", "cat >\"$MIRROR_ROOT/loaded-$1\"; cmp \"$2\" \"$MIRROR_ROOT/loaded-$1\"", "sh", "{slot}", "{dump}"],
        };

        await Loader(database).LoadAsync(tree, "b", CancellationToken.None);

        Assert.Equal(File.ReadAllText(dump), File.ReadAllText(Path.Combine(tree, "loaded-b")));
        await Loader(database with { Load = ["true"] }).LoadAsync(tree, "b", CancellationToken.None);
        await Loader(database with { Load = [] }).LoadAsync(tree, "b", CancellationToken.None);
        var failure = await Assert.ThrowsAsync<LoadException>(
            () => Loader(database with { Load = ["/bin/sh", "-c", "echo 'cannot load' >&2; exit 2"] }).LoadAsync(tree, "b", CancellationToken.None));
        Assert.Equal("The dump of any could not be loaded: sh ended with exit code 2: cannot load.", failure.Message);
    }

    [Fact]
    public async Task A_dump_of_MariaDB_is_loaded_into_the_slots_own_database_and_replaces_what_was_there()
    {
        await using var server = await MariaDbServer.StartAsync();
        var dump = Path.Combine(tree, ".mirror/dumps/shop");
        Directory.CreateDirectory(dump);
        File.WriteAllText(Path.Combine(dump, "begin.sql"), "/*!40101 SET NAMES utf8mb4 */;\n");
        File.WriteAllText(Path.Combine(dump, "table.items.sql"), "CREATE TABLE `items` (name varchar(20));\nINSERT INTO `items` VALUES\n('tea'),\n('cake');\n");
        File.WriteAllText(Path.Combine(dump, "contents"), "charset latin1\ncollation latin1_german1_ci\nfile begin.sql\nfile table.items.sql\n");
        var database = server.Database("shop");

        for (var round = 0; round < 2; round++)
        {
            await Loader(database).LoadAsync(tree, "b", CancellationToken.None);
            Assert.Equal("2 latin1_german1_ci", await server.ValueAsync("shop_mirror_b", "select concat(count(*), ' ', @@collation_database) from items;"));
            await server.QueryAsync("shop_mirror_b", "insert into items values ('written by the app');");
        }

        File.AppendAllText(Path.Combine(dump, "table.items.sql"), "INSERT INTO `nothing` VALUES (1);\n");
        var failure = await Assert.ThrowsAsync<LoadException>(() => Loader(database).LoadAsync(tree, "b", CancellationToken.None));
        Assert.Contains("shop_mirror_b.nothing' doesn't exist", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("file ../../../etc/passwd")]
    [InlineData("charset x; drop database mysql")]
    [InlineData("anything else")]
    public async Task A_list_of_a_dump_that_says_something_odd_is_refused_before_anything_is_changed(string line)
    {
        var dump = Path.Combine(tree, ".mirror/dumps/shop");
        Directory.CreateDirectory(dump);
        File.WriteAllText(Path.Combine(dump, "contents"), $"charset utf8mb4\ncollation utf8mb4_bin\n{line}\n");

        var failure = await Assert.ThrowsAsync<LoadException>(
            () => Loader(new DatabaseConfig("shop", DatabaseKind.MariaDb, null, "Server=/no/socket;Database=shop")).LoadAsync(tree, "b", CancellationToken.None));

        Assert.Contains("has a line that means nothing: " + line, failure.Message, StringComparison.Ordinal);
    }

    private static SlotLoader Loader() => Loader(new DatabaseConfig("main", DatabaseKind.Sqlite, "data/wiki.db", null));

    private static SlotLoader Loader(DatabaseConfig database) => new(new SiteConfig(
        "wiki", "alpha", ["alpha"], ["alpha"], new FilesConfig("/srv", [], TimeSpan.Zero, TimeSpan.Zero),
        [database], [], [], [], false), TimeProvider.System);

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
