using Microsoft.Data.Sqlite;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Capture.Databases;

public sealed class SqliteDumpTests
{
    private const string Schema = "pragma journal_mode = wal; create table page(id integer primary key, body text)";

    [Fact]
    public async Task A_database_dumped_while_it_is_written_is_sound_and_holds_all_that_was_committed_before()
    {
        await using var site = await LiveSite.MakeAsync(database: "data/site.db", tree: TreeLiteral.Empty.Directory("data"));
        var file = Path.Combine(site.Root, "data/site.db");
        await using var app = Open(file);
        Run(app, Schema);
        using var stop = new CancellationTokenSource();
        var committed = 0L;
        var enough = new TaskCompletionSource();
        var writing = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                Run(app, "insert into page(body) values (hex(randomblob(200)))");
                if (Interlocked.Increment(ref committed) == 50)
                {
                    enough.SetResult();
                }
            }
        });
        await Task.WhenAny(enough.Task, writing);
        try
        {
            for (var round = 0; round < 5; round++)
            {
                var before = Interlocked.Read(ref committed);
                await site.CaptureAsync();
                var dump = Path.Combine(site.Spool, "pages.sqlite");
                Assert.Equal("ok", Shell.Run("sqlite3 \"$1\" 'pragma quick_check'", dump).Trim());
                Assert.InRange(Rows(dump), before, Interlocked.Read(ref committed) + 1);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await writing;
        }

        Assert.Equal(["pages.sqlite"], Directory.GetFileSystemEntries(site.Spool).Select(Path.GetFileName));
        var version = site.Store.Head!;
        Assert.Equal(["pages"], version.Dumps);
    }

    [Fact]
    public async Task An_unchanged_database_makes_no_version_and_a_dump_that_came_out_the_same_makes_none_either()
    {
        await using var site = await LiveSite.MakeAsync(database: "site.db");
        var file = Path.Combine(site.Root, "site.db");
        await using var app = Open(file);
        Run(app, Schema);
        Run(app, "insert into page(body) values ('one')");
        await site.CaptureAsync();
        var written = File.GetLastWriteTimeUtc(Path.Combine(site.Spool, "pages.sqlite"));

        Assert.Null((await site.CaptureAsync()).Version);
        Assert.Equal(written, File.GetLastWriteTimeUtc(Path.Combine(site.Spool, "pages.sqlite")));

        Shell.Run("touch \"$1\"", file);
        Assert.Null((await site.CaptureAsync()).Version);
        Assert.NotEqual(written, File.GetLastWriteTimeUtc(Path.Combine(site.Spool, "pages.sqlite")));
    }

    [Fact]
    public async Task A_dump_that_came_out_the_same_beside_another_change_is_no_change_later()
    {
        await using var site = await LiveSite.MakeAsync(database: "site.db");
        var file = Path.Combine(site.Root, "site.db");
        await using var app = Open(file);
        Run(app, Schema);
        await site.CaptureAsync();
        Shell.Run("touch \"$1\"", file);
        site.Write("page", "new");

        Assert.Equal(["", "page"], LiveSite.Put(await site.CaptureAsync()));
        var third = await site.CaptureAsync();

        Assert.True(third.Version is null, string.Join(", ", LiveSite.Put(third)));
    }

    [Fact]
    public async Task A_row_more_is_a_version_that_the_replica_reads()
    {
        await using var site = await LiveSite.MakeAsync(database: "site.db");
        await using var app = Open(Path.Combine(site.Root, "site.db"));
        Run(app, Schema);
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);
        Run(app, "insert into page(body) values ('one')");

        var captured = await site.CaptureAsync();

        Assert.Equal([".mirror/dumps/pages.sqlite"], LiveSite.Put(captured));
        await LiveSite.StageAsync(replica, captured.Pack!);
        Assert.Equal(1, Rows(Path.Combine(replica.HeadTree, ".mirror/dumps/pages.sqlite")));
    }

    [Fact]
    public async Task A_database_that_took_the_place_of_another_is_noticed_by_its_inode()
    {
        await using var site = await LiveSite.MakeAsync(database: "site.db");
        var file = Path.Combine(site.Root, "site.db");
        Shell.Run("sqlite3 \"$1\" 'create table page(a); insert into page values (1)'; sqlite3 \"$2\" 'create table page(a); insert into page values (2)'; touch -r \"$1\" \"$2\"", file, site.Files["other"]);
        await site.CaptureAsync();
        Shell.Run("mv \"$2\" \"$1\"", file, site.Files["other"]);

        Assert.Contains(".mirror/dumps/pages.sqlite", LiveSite.Put(await site.CaptureAsync()));
    }

    [Fact]
    public async Task What_an_interrupted_dump_left_is_in_no_version()
    {
        await using var site = await LiveSite.MakeAsync(database: "site.db");
        Shell.Run("sqlite3 \"$1\" 'create table page(a)'; mkdir -p \"$2/gone.tmp/x\"; printf j > \"$2/pages.sqlite.tmp-journal\"; printf d > \"$2/pages.sqlite.tmp\"; printf o > \"$2/formerly.sqlite\"", Path.Combine(site.Root, "site.db"), site.Spool);

        await site.CaptureAsync();

        Assert.Equal(["", ".mirror", ".mirror/dumps", ".mirror/dumps/pages.sqlite"], site.Store.HeadManifest.Entries.Select(entry => entry.Path.ToString()));
    }

    [Theory]
    [InlineData(null, "is not there")]
    [InlineData("this was never a database, whatever its name says", "pages")]
    public async Task A_database_that_cannot_be_dumped_fails_the_capture_by_name(string? content, string says)
    {
        await using var site = await LiveSite.MakeAsync(database: "site.db");
        if (content is not null)
        {
            site.Write("site.db", content);
        }

        var failure = await Assert.ThrowsAsync<CaptureException>(() => site.CaptureAsync());

        Assert.Contains(says, failure.Message, StringComparison.Ordinal);
        Assert.Null(site.Store.Head);
        Assert.Empty(site.Outbox());
    }

    [Theory]
    [InlineData("delete")]
    [InlineData("wal")]
    public async Task A_writer_that_never_stops_is_not_kept_out_and_cannot_keep_the_dump_from_ending(string journal)
    {
        await using var site = await LiveSite.MakeAsync([new DatabaseConfig("pages", DatabaseKind.Sqlite, "site.db", null) { Within = TimeSpan.FromMinutes(4) }]);
        var file = Path.Combine(site.Root, "site.db");
        Shell.Run("sqlite3 \"$1\" \"pragma journal_mode = $2; create table page(id integer primary key, body text); with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000) insert into page select i, hex(randomblob(200)) from n; create table pair(a integer, b integer)\"", file, journal);
        using var writing = Writer.Start(file);
        await writing.UntilAsync(20);

        var before = writing.Written;
        await site.DumpsBy(new EarlyTime(TimeSpan.FromSeconds(3), TimeSpan.FromMinutes(1.5))).RunAsync(null, CancellationToken.None);
        var during = writing.Written - before;

        var dump = Path.Combine(site.Spool, "pages.sqlite");
        Assert.Equal("ok", Shell.Run("sqlite3 \"$1\" 'pragma quick_check'", dump).Trim());
        Assert.Equal("60000|0", Shell.Run("sqlite3 \"$1\" 'select (select count(*) from page), (select count(*) from pair where a <> b)'", dump).Trim());
        Assert.True(during > 0, "Nothing was written while the dump was made.");
    }

    [Fact]
    public async Task A_lock_that_is_never_given_back_ends_in_a_clear_error_and_the_last_dump_stays()
    {
        await using var site = await LiveSite.MakeAsync([new DatabaseConfig("pages", DatabaseKind.Sqlite, "site.db", null) { Within = TimeSpan.FromSeconds(1) }]);
        var file = Path.Combine(site.Root, "site.db");
        await using var app = Open(file);
        Run(app, "create table page(id integer primary key, body text)");
        await site.CaptureAsync();
        Run(app, "insert into page(body) values ('one')");
        Run(app, "begin exclusive");

        var failure = await Assert.ThrowsAsync<CaptureException>(() => site.CaptureAsync());

        Assert.Contains($"The SQLite database {file} could not be read for 1s: another process holds a lock on it", failure.Message, StringComparison.Ordinal);
        Assert.Equal(0, Rows(Path.Combine(site.Spool, "pages.sqlite")));
        Run(app, "rollback");
        await site.CaptureAsync();
        Assert.Equal(1, Rows(Path.Combine(site.Spool, "pages.sqlite")));
    }

    /// <summary>
    /// Time that goes as everywhere for a while, is later by a good deal then, and goes on. For what is patient for a quarter of its time and is to be seen beyond that: the patience is over soon, and a machine that is
    /// busy still has most of the time.
    /// </summary>
    private sealed class EarlyTime(TimeSpan after, TimeSpan skipped) : TimeProvider
    {
        private readonly long began = System.GetTimestamp();

        public override long GetTimestamp() => System.GetTimestamp() + (System.GetElapsedTime(began) > after ? skipped.Ticks * System.TimestampFrequency / TimeSpan.TicksPerSecond : 0);
    }

    /// <summary>Writes pairs, each in a transaction, from another process and without a pause.</summary>
    private sealed class Writer : IDisposable
    {
        private readonly System.Diagnostics.Process process;
        private long written;

        private Writer(System.Diagnostics.Process process)
        {
            this.process = process;
            process.OutputDataReceived += (_, line) =>
            {
                if (line.Data is not null)
                {
                    Interlocked.Increment(ref written);
                    progress.TrySetResult();
                }
            };
        }

        private TaskCompletionSource progress = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public long Written => Interlocked.Read(ref written);

        public static Writer Start(string file)
        {
            var start = new System.Diagnostics.ProcessStartInfo("bash") { RedirectStandardOutput = true };
            const string Script = "{ echo '.timeout 60000'; echo 'pragma synchronous = off;'; n=0; while :; do n=$((n+1)); echo \"begin immediate; insert into pair values ($n, 0); update pair set b = $n where a = $n; commit; select $n;\"; done; } | sqlite3 -bail \"$1\"";
            foreach (var argument in new[] { "-c", Script, "bash", file })
            {
                start.ArgumentList.Add(argument);
            }

            var writer = new Writer(System.Diagnostics.Process.Start(start)!);
            writer.process.BeginOutputReadLine();
            return writer;
        }

        public async Task UntilAsync(int count)
        {
            while (Written < count)
            {
                var next = progress;
                await next.Task;
                Interlocked.CompareExchange(ref progress, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), next);
            }
        }

        public void Dispose()
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            process.Dispose();
        }
    }

    private static SqliteConnection Open(string file)
    {
        var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        return connection;
    }

    private static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static long Rows(string file) => long.Parse(Shell.Run("sqlite3 \"$1\" 'select count(*) from page'", file), System.Globalization.CultureInfo.InvariantCulture);
}
