using Microsoft.Data.Sqlite;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using SQLitePCL;

namespace Mirror.Primary.Capture.Databases;

/// <summary>
/// SQLite by its online backup API: a consistent copy while the app writes; the live file and its WAL are never copied raw. With a WAL the copy is of one snapshot, and nobody waits. Without one
/// a reader keeps writers out, so the copy is made in steps and they get their turn in between; a write makes it begin again, and when a quarter of the time is gone, it is made in one go.
/// When neither the file nor its WAL was touched since the last dump, that dump still holds.
/// </summary>
/// <param name="within">How long others may keep the database busy.</param>
/// <param name="gentle">Where it is copied; null: anywhere.</param>
internal sealed class SqliteDump(string database, TimeSpan within, TimeProvider time, GentleThreads? gentle = null) : IDatabaseDump
{
    private const int PagesOfStep = 1024;
    private const int WholeRest = -1;

    private static readonly TimeSpan turn = TimeSpan.FromMilliseconds(5);
    // A writer without a pause leaves short gaps.
    private static readonly TimeSpan busyTurn = TimeSpan.FromMilliseconds(2);

    private readonly record struct Touched(StatKey? File, StatKey? Wal);

    private Touched? last;

    public async Task WriteAsync(string target, DumpContents contents, CancellationToken cancellation)
    {
        if (!File.Exists(database))
        {
            throw new CaptureException($"The SQLite database {database} is not there. Start the app once so that it makes it, or correct the path in the configuration.");
        }

        // Looked at before the copy: a write during it shows next time.
        var now = Look();
        if (now == last && File.Exists(target))
        {
            return;
        }

        var pending = target + ".tmp";
        File.Delete(pending);
        await (gentle?.RunAsync(() => BackupAsync(pending, cancellation)) ?? Task.Run(() => BackupAsync(pending, cancellation), cancellation));
        File.Move(pending, target, overwrite: true);
        last = now;
    }

    private async Task<bool> BackupAsync(string pending, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            try
            {
                await CopyAsync(pending, began, cancellation);
                break;
            }
            catch (SqliteException busy) when (busy.SqliteErrorCode is raw.SQLITE_BUSY or raw.SQLITE_LOCKED)
            {
                await WaitAsync(began, cancellation);
            }
        }

        // The copy stands alone: one file, no WAL beside it.
        using var copy = Open(pending, SqliteOpenMode.ReadWrite);
        Run(copy, "PRAGMA journal_mode = DELETE");
        if (Run(copy, "PRAGMA quick_check(1)") is not "ok" and var fault)
        {
            throw new CaptureException($"The copy of {database} does not pass SQLite's own check ({fault}). The database is damaged: bring back an earlier version of it.");
        }

        return true;
    }

    private async Task CopyAsync(string pending, long began, CancellationToken cancellation)
    {
        File.Delete(pending);
        using var source = Open(database, SqliteOpenMode.ReadWrite);
        using var copy = Open(pending, SqliteOpenMode.ReadWriteCreate);
        var snapshot = Run(source, "PRAGMA journal_mode") == "wal";
        if (snapshot)
        {
            // A transaction begins with the first reading.
            Run(source, "BEGIN");
            Run(source, "SELECT name FROM sqlite_master LIMIT 1");
        }

        using var backup = raw.sqlite3_backup_init(copy.Handle, "main", source.Handle, "main");
        if (backup.IsInvalid)
        {
            SqliteException.ThrowExceptionForRC(raw.sqlite3_errcode(copy.Handle), copy.Handle);
        }

        while (true)
        {
            var inOneGo = !snapshot && time.GetElapsedTime(began) > within / 4;
            switch (raw.sqlite3_backup_step(backup, inOneGo ? WholeRest : PagesOfStep))
            {
                case raw.SQLITE_DONE:
                    return;
                case raw.SQLITE_OK:
                    cancellation.ThrowIfCancellationRequested();
                    if (!snapshot)
                    {
                        await Task.Delay(turn, time, cancellation);
                    }

                    break;
                case raw.SQLITE_BUSY or raw.SQLITE_LOCKED:
                    await WaitAsync(began, cancellation);
                    break;
                case var error:
                    SqliteException.ThrowExceptionForRC(error, copy.Handle);
                    break;
            }
        }
    }

    private async Task WaitAsync(long began, CancellationToken cancellation)
    {
        if (time.GetElapsedTime(began) > within)
        {
            throw new CaptureException(
                $"The SQLite database {database} could not be read for {Durations.Format(within)}: another process holds a lock on it (`fuser {database}` names those that have it open). "
                + "End the long transaction there, or give up its exclusive locking mode; or allow more time with `within`.");
        }

        await Task.Delay(busyTurn, time, cancellation);
    }

    private static SqliteConnection Open(string file, SqliteOpenMode mode)
    {
        // Unpooled: a pooled connection would keep the file open after this. Who waits, and for how long, is decided here and not in it.
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Mode = mode, Pooling = false, DefaultTimeout = 1 }.ConnectionString);
        connection.Open();
        return connection;
    }

    private static string? Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar() as string;
    }

    private Touched Look()
    {
        var directory = Path.GetDirectoryName(Path.GetFullPath(database))!;

        // Run by root, SQLite sets the WAL's owner each time it opens it: its ctime tells nothing.
        return new Touched(Stat(""), Stat("-wal") is { } wal ? wal with { CtimeNs = 0 } : null);

        StatKey? Stat(string suffix) => TreeScanner.Stat(directory, EntryPath.Parse(Path.GetFileName(database) + suffix));
    }
}
