using Microsoft.Data.Sqlite;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;

namespace Mirror.Replica.Warm;

/// <summary>SQLite: replaced by its backup API in one transaction of the file. Its state from before is copied to a directory.</summary>
internal sealed class SqliteReload(string keep) : IReload
{
    public Task<DatabaseTarget> PlanAsync(DatabaseConfig database, string tree, string slot, string stamp, CancellationToken cancellation)
    {
        var file = SlotDatabases.Locate(database, tree, slot);
        var kept = Path.Combine(keep, $"{database.Name}-{stamp}.sqlite");
        return Task.FromResult(new DatabaseTarget(database, file, $"the SQLite file {file}", File.Exists(file), kept) { Kept = kept });
    }

    // Checked while nothing was changed; it is loaded when it takes the other's place.
    public Task LoadBesideAsync(DatabaseTarget target, string dump, CancellationToken cancellation) => Task.Run(() => CheckSqlite(dump), cancellation);

    public Task SwapAsync(DatabaseTarget target, string dump) => Task.Run(() => SwapSqlite(target, dump));

    public Task DropBesideAsync(DatabaseTarget target) => Task.CompletedTask;

    private void SwapSqlite(DatabaseTarget target, string dump)
    {
        if (!target.Exists)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target.Location)!);
        }
        else
        {
            Directory.CreateDirectory(keep);
            Copy(target.Location, target.Kept);
        }

        Copy(dump, target.Location);
    }

    /// <summary>One transaction of the target: who has it open sees all of it or nothing, and a crash rolls it back.</summary>
    private static void Copy(string from, string to)
    {
        using var source = Open(from, SqliteOpenMode.ReadWrite);
        using var target = Open(to, SqliteOpenMode.ReadWriteCreate);
        source.BackupDatabase(target);
    }

    private static void CheckSqlite(string dump)
    {
        if (!File.Exists(dump))
        {
            throw new FileNotFoundException($"the version has no dump {Path.GetFileName(dump)}");
        }

        using var opened = Open(dump, SqliteOpenMode.ReadWrite);
        using var command = opened.CreateCommand();
        command.CommandText = "PRAGMA quick_check(1)";
        if (command.ExecuteScalar() is not "ok" and var fault)
        {
            throw new InvalidDataException($"the dump does not pass SQLite's own check ({fault})");
        }
    }

    private static SqliteConnection Open(string file, SqliteOpenMode mode)
    {
        // Unpooled: a pooled connection would keep the file open after this.
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Mode = mode, Pooling = false, DefaultTimeout = 30 }.ConnectionString);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA busy_timeout = 30000";
        command.ExecuteScalar();
        return connection;
    }
}
