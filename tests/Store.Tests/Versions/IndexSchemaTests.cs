using Microsoft.Data.Sqlite;
using Mirror.Store.Versions;
using Mirror.Testing;

namespace Mirror.Store.Tests.Versions;

public sealed class IndexSchemaTests : IDisposable
{
    private static readonly string[] two = [.. IndexSchema.Steps.Take(1), "ALTER TABLE versions ADD COLUMN colour TEXT NOT NULL DEFAULT 'none'"];
    private readonly TemporaryDirectory files = new();

    public void Dispose() => files.Dispose();

    [Fact]
    public void An_older_index_takes_the_steps_it_lacks_and_keeps_its_rows()
    {
        using var index = Open();
        IndexSchema.BringUpToDate(index, [two[0]], rows => rows.Execute("INSERT INTO versions VALUES (1, 1, x'00', 7, 'note', 0)"));
        IndexSchema.BringUpToDate(index, two, _ => Assert.Fail("it was not new"));

        Assert.Equal(2, IndexSchema.VersionOf(index));
        Assert.Equal("note none", Ask(index, "SELECT note || ' ' || colour FROM versions"));
        IndexSchema.BringUpToDate(index, two, _ => Assert.Fail("it was not new"));
    }

    [Fact]
    public void A_new_index_has_the_same_tables_as_one_that_grew()
    {
        using var index = Open();
        IndexSchema.BringUpToDate(index, two, rows => rows.SetMeta("site", "wiki"));
        Assert.Equal(2, IndexSchema.VersionOf(index));
        Assert.Equal("wiki", Ask(index, "SELECT value FROM meta"));
        Assert.Equal(0L, Ask(index, "SELECT count(colour) FROM versions"));
    }

    [Fact]
    public void A_step_that_fails_leaves_the_index_as_it_was()
    {
        using var index = Open();
        IndexSchema.BringUpToDate(index, [two[0]], _ => { });
        Assert.Throws<SqliteException>(() => IndexSchema.BringUpToDate(index, [.. two, "ALTER TABLE nothing ADD COLUMN at_all"], _ => { }));
        Assert.Equal(1, IndexSchema.VersionOf(index));
        Assert.Equal(0L, Ask(index, "SELECT count(*) FROM pragma_table_info('versions') WHERE name = 'colour'"));
    }

    [Fact]
    public void An_index_of_a_newer_program_is_refused_and_not_touched()
    {
        using var index = Open();
        Execute(index, "PRAGMA user_version = 3");
        var error = Assert.Throws<StoreException>(() => IndexSchema.BringUpToDate(index, two, _ => { }));
        Assert.Contains("schema 3; this program knows 2", error.Message, StringComparison.Ordinal);
        Assert.Equal(0L, Ask(index, "SELECT count(*) FROM sqlite_schema"));
    }

    private SqliteConnection Open()
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = files["index.db"], Pooling = false }.ToString());
        connection.Open();
        return connection;
    }

    private static object Ask(SqliteConnection index, string sql)
    {
        using var command = index.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar()!;
    }

    private static void Execute(SqliteConnection index, string sql)
    {
        using var command = index.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
