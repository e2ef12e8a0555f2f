using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Configuration;
using Mirror.Replica.Warm;
using Mirror.Testing;

namespace Mirror.Replica.Tests.Warm;

public sealed class DatabaseReloadTests : IDisposable
{
    private readonly TemporaryDirectory files = new();
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2030, 5, 6, 7, 8, 9, TimeSpan.Zero));
    private readonly List<string> steps = [];

    private string Tree => files["tree"];

    private string Dumps => files["dumps"];

    private string Live => Path.Combine(Tree, "data/wiki.db");

    private string Kept => files["kept/main-20300506070809.sqlite"];

    public DatabaseReloadTests()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Live)!);
        files.Make("dumps");
        Execute(Path.Combine(Dumps, "main.sqlite"), "CREATE TABLE page(name TEXT); INSERT INTO page VALUES('as it was');");
    }

    public void Dispose() => files.Dispose();

    [Fact]
    public async Task An_app_that_has_the_file_open_sees_the_old_state_and_then_the_new_one_and_the_old_one_is_kept()
    {
        using var app = new SqliteConnection($"Data Source={Live};Pooling=False");
        app.Open();
        Execute(app, "PRAGMA journal_mode = WAL; CREATE TABLE page(name TEXT); INSERT INTO page VALUES('newer'), ('newest');");
        var target = Assert.Single(await PlanAsync());
        Assert.True(target.Exists);
        Assert.Equal(Kept, target.KeptAs);
        Assert.Equal($"the SQLite file {Live}", target.Target);

        await Reload().RunAsync([target], Dumps, steps.Add, CancellationToken.None);

        Assert.Equal(["as it was"], Names(app));
        Execute(app, "INSERT INTO page VALUES('written since');");
        Assert.Equal(["newer", "newest"], Names(Kept));
        Assert.Equal(["as it was"], Names(Path.Combine(Dumps, "main.sqlite")));
        Assert.Equal(2, steps.Count);
    }

    [Fact]
    public async Task Where_there_is_none_it_is_made()
    {
        var target = Assert.Single(await PlanAsync());
        Assert.False(target.Exists);

        await Reload().RunAsync([target], Dumps, steps.Add, CancellationToken.None);

        Assert.Equal(["as it was"], Names(Live));
        Assert.False(Directory.Exists(files["kept"]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_dump_that_is_gone_or_damaged_changes_nothing(bool gone)
    {
        Execute(Live, "CREATE TABLE page(name TEXT); INSERT INTO page VALUES('newest');");
        var dump = Path.Combine(Dumps, "main.sqlite");
        if (gone)
        {
            File.Delete(dump);
        }
        else
        {
            File.WriteAllText(dump, "this is no database, and long enough to be seen as none: " + new string('x', 5000));
        }

        var targets = await PlanAsync();
        var failure = await Assert.ThrowsAsync<LoadException>(() => Reload().RunAsync(targets, Dumps, steps.Add, CancellationToken.None));

        Assert.Contains("The dump of main could not be loaded", failure.Message, StringComparison.Ordinal);
        Assert.Contains("No database was changed.", failure.Message, StringComparison.Ordinal);
        Assert.Equal(["newest"], Names(Live));
    }

    [Fact]
    public async Task A_database_the_site_does_not_have_is_refused_by_name()
    {
        var failure = await Assert.ThrowsAsync<LoadException>(() => Reload().PlanAsync(Tree, "a", ["other"], CancellationToken.None));
        Assert.Equal("The site wiki has no database other; it has main.", failure.Message);
    }

    private Task<IReadOnlyList<DatabaseTarget>> PlanAsync() => Reload().PlanAsync(Tree, "a", [], CancellationToken.None);

    private DatabaseReload Reload() => new(
        new SiteConfig(
            "wiki", "alpha", ["alpha"], ["alpha"], new FilesConfig("/srv", [], TimeSpan.Zero, TimeSpan.Zero),
            [new DatabaseConfig("main", DatabaseKind.Sqlite, "data/wiki.db", null)], [], [], [], false),
        files["kept"], time);

    private static void Execute(string file, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        Execute(connection, sql);
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The test's own words.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }

    private static List<string> Names(string file)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        return Names(connection);
    }

    private static List<string> Names(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT name FROM page ORDER BY name";
        using var rows = command.ExecuteReader();
        var names = new List<string>();
        while (rows.Read())
        {
            names.Add(rows.GetString(0));
        }

        return names;
    }
}
