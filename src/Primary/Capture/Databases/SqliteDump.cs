using Microsoft.Data.Sqlite;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Capture.Databases;

/// <summary>
/// SQLite by its online backup API: a consistent copy while the app writes; the live file and its WAL are never copied raw. When neither the file nor its WAL was
/// touched since the last dump, that dump still holds.
/// </summary>
internal sealed class SqliteDump(string database) : IDatabaseDump
{
    private readonly record struct Touched(StatKey? File, StatKey? Wal);

    private Touched? last;

    public async Task WriteAsync(string target, CancellationToken cancellation)
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
        await Task.Run(() => Backup(pending), cancellation);
        File.Move(pending, target, overwrite: true);
        last = now;
    }

    private void Backup(string pending)
    {
        using (var source = Open(database, SqliteOpenMode.ReadWrite))
        using (var copy = Open(pending, SqliteOpenMode.ReadWriteCreate))
        {
            // An app that checkpoints or closes holds the database for a moment.
            Run(source, "PRAGMA busy_timeout = 30000");
            source.BackupDatabase(copy);
            // The copy stands alone: one file, no WAL beside it.
            Run(copy, "PRAGMA journal_mode = DELETE");
            if (Run(copy, "PRAGMA quick_check(1)") is not "ok" and var fault)
            {
                throw new CaptureException($"The copy of {database} does not pass SQLite's own check ({fault}). The database is damaged: bring back an earlier version of it.");
            }
        }
    }

    private static SqliteConnection Open(string file, SqliteOpenMode mode)
    {
        // Unpooled: a pooled connection would keep the file open after this.
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Mode = mode, Pooling = false, DefaultTimeout = 30 }.ConnectionString);
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
