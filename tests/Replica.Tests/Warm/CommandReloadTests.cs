using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Configuration;
using Mirror.Replica.Warm;
using Mirror.Testing;

namespace Mirror.Replica.Tests.Warm;

/// <summary>A database that only commands know: here SQLite's own client, which dumps SQL text and loads it.</summary>
public sealed class CommandReloadTests : IDisposable
{
    private static readonly DatabaseConfig notes = new("notes", DatabaseKind.Command, null, null)
    {
        Command = ["sqlite3", "{root}/notes.db", ".dump"],
        Load = ["/bin/sh", "-c", "rm -f \"$1.new\" && sqlite3 -bail \"$1.new\" && mv \"$1.new\" \"$1\"", "sh", "{root}/notes.db"],
    };

    // The same in a directory of two files.
    private static readonly DatabaseConfig directory = notes with
    {
        Command = ["/bin/sh", "-c", "sqlite3 \"$1/notes.db\" .schema >\"$2/schema\" && sqlite3 \"$1/notes.db\" '.dump --data-only' >\"$2/rows\"", "sh", "{root}", "{directory}"],
        Load = ["/bin/sh", "-c", "rm -f \"$1.new\" && cat \"$2/schema\" \"$2/rows\" | sqlite3 -bail \"$1.new\" && mv \"$1.new\" \"$1\"", "sh", "{root}/notes.db", "{dump}"],
    };

    private readonly TemporaryDirectory files = new();
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2030, 5, 6, 7, 8, 9, TimeSpan.Zero));
    private readonly List<string> steps = [];

    public CommandReloadTests()
    {
        files.Make("tree");
        files.Make("dumps");
        Sql("create table note(text); insert into note values ('as it was');");
    }

    private string Tree => files["tree"];

    private string Dump => files["dumps/notes"];

    private string Kept => files["kept/notes-20300506070809"];

    public void Dispose() => files.Dispose();

    [Fact]
    public async Task It_is_loaded_by_the_command_and_what_was_there_is_kept_as_a_dump_that_loads_again()
    {
        File.WriteAllText(Dump, Shell.Run("sqlite3 \"$1/notes.db\" .dump", Tree));
        Sql("insert into note values ('newer');");
        var target = Assert.Single(await Reload(notes).PlanAsync(Tree, "a", [], CancellationToken.None));
        Assert.Equal(Kept, target.KeptAs);
        Assert.Equal("what sh loads (a)", target.Target);

        await Reload(notes).RunAsync([target], files["dumps"], steps.Add, CancellationToken.None);

        Assert.Equal("as it was", Notes());
        Assert.Equal(["loading notes beside what sh loads (a)", "replacing what sh loads (a)"], steps);
        File.Move(Kept, Dump, overwrite: true);
        await RunAsync(notes);
        Assert.Equal("as it was,newer", Notes());
    }

    [Fact]
    public async Task A_dump_that_is_a_directory_is_kept_and_loaded_as_one()
    {
        Shell.Run("mkdir \"$2\" && sqlite3 \"$1/notes.db\" .schema >\"$2/schema\" && sqlite3 \"$1/notes.db\" '.dump --data-only' >\"$2/rows\"", Tree, Dump);
        Sql("insert into note values ('newer');");

        await RunAsync(directory);

        Assert.Equal("as it was", Notes());
        Assert.Equal(["rows", "schema"], Directory.GetFiles(Kept).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Directory.Delete(Dump, recursive: true);
        Directory.Move(Kept, Dump);
        await RunAsync(directory);
        Assert.Equal("as it was,newer", Notes());
    }

    [Fact]
    public async Task A_dump_that_does_not_load_leaves_the_state_from_before_and_says_where_it_is_kept()
    {
        File.WriteAllText(Dump, "create table note(text); insert into missing values (1);");

        var failure = await Assert.ThrowsAsync<LoadException>(() => RunAsync(notes));

        Assert.Contains("The dump of notes was not loaded, or not to its end", failure.Message, StringComparison.Ordinal);
        Assert.Contains($"what was there before is in {Kept}", failure.Message, StringComparison.Ordinal);
        Assert.Contains("no such table: missing", failure.Message, StringComparison.Ordinal);
        Assert.Contains("as it was", File.ReadAllText(Kept), StringComparison.Ordinal);
        Assert.Equal("as it was", Notes());
    }

    [Fact]
    public async Task When_the_present_state_cannot_be_dumped_nothing_is_loaded()
    {
        File.WriteAllText(Dump, "create table note(text);");

        var failure = await Assert.ThrowsAsync<LoadException>(() => RunAsync(notes with { Command = ["/bin/sh", "-c", "echo 'cannot dump' >&2; exit 3"] }));

        Assert.Contains("cannot dump", failure.Message, StringComparison.Ordinal);
        Assert.Contains("No database was changed.", failure.Message, StringComparison.Ordinal);
        Assert.Equal("as it was", Notes());
    }

    [Fact]
    public async Task Without_a_dump_or_without_a_command_that_loads_nothing_is_touched()
    {
        var missing = await Assert.ThrowsAsync<LoadException>(() => RunAsync(notes));
        Assert.Contains("the version has no dump .mirror/dumps/notes", missing.Message, StringComparison.Ordinal);
        Assert.Contains("No database was changed.", missing.Message, StringComparison.Ordinal);
        var unloadable = await Assert.ThrowsAsync<LoadException>(() => RunAsync(notes with { Load = [] }));
        Assert.Contains("Add `load`", unloadable.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(files["kept"]));
        Assert.Equal("as it was", Notes());
    }

    private async Task RunAsync(DatabaseConfig database) =>
        await Reload(database).RunAsync(await Reload(database).PlanAsync(Tree, "a", [], CancellationToken.None), files["dumps"], steps.Add, CancellationToken.None);

    private DatabaseReload Reload(DatabaseConfig database) => new(
        new SiteConfig("wiki", "alpha", ["alpha"], ["alpha"], new FilesConfig("/srv", [], TimeSpan.Zero, TimeSpan.Zero), [database], [], [], [], false), files["kept"], time);

    private void Sql(string sql) => Shell.Run("sqlite3 -bail \"$1/notes.db\" \"$2\"", Tree, sql);

    private string Notes() => string.Join(',', Shell.Run("sqlite3 \"$1/notes.db\" 'select text from note order by text'", Tree).Split('\n', StringSplitOptions.RemoveEmptyEntries));
}
