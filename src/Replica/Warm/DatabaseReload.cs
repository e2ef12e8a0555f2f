using System.Data.Common;
using System.Globalization;
using Microsoft.Data.Sqlite;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;

namespace Mirror.Replica.Warm;

/// <summary>A database that a dump would be, or was, loaded into.</summary>
/// <param name="Location">A connection string, or a file.</param>
/// <param name="Target">For a person: which database, and where.</param>
/// <param name="Exists">There is one by that name, which is replaced.</param>
/// <param name="KeptAs">Where its present state is kept; for a person.</param>
public sealed record DatabaseTarget(DatabaseConfig Database, string Location, string Target, bool Exists, string KeptAs)
{
    /// <summary>Name of the database, or path of the file, that keeps the present state.</summary>
    internal string Kept { get; init; } = "";
}

/// <summary>
/// Loads a version's dumps into the databases that a site uses. All are loaded beside first; then each takes the place of the one in use: PostgreSQL by renaming both in one transaction,
/// SQLite by its backup API in one transaction, so that apps that have it open see the old state or the new one. What was there is kept under another name, and nothing ever deletes it.
/// </summary>
/// <param name="keep">A directory for copies of SQLite files, outside of the site.</param>
public sealed class DatabaseReload(SiteConfig site, string keep, TimeProvider time)
{
    private const int LongestName = 63;
    private const int SwapAttempts = 4;

    /// <param name="only">Names of databases; none: all.</param>
    /// <exception cref="LoadException">One of the names is unknown, or a server does not answer.</exception>
    public async Task<IReadOnlyList<DatabaseTarget>> PlanAsync(string tree, string slot, IReadOnlyCollection<string> only, CancellationToken cancellation)
    {
        if (only.FirstOrDefault(name => site.Databases.All(database => database.Name != name)) is { } unknown)
        {
            throw new LoadException($"The site {site.Name} has no database {unknown}; it has {(site.Databases.Count == 0 ? "none" : string.Join(", ", site.Databases.Select(database => database.Name)))}.");
        }

        var stamp = time.GetUtcNow().ToString("yyyyMMddHHmmss", CultureInfo.InvariantCulture);
        var targets = new List<DatabaseTarget>();
        foreach (var database in site.Databases.Where(database => only.Count == 0 || only.Contains(database.Name)))
        {
            var location = SlotDatabases.Locate(database, tree, slot);
            targets.Add(database.Kind == DatabaseKind.Sqlite ? OfSqlite(database, location, stamp) : await OfPostgresAsync(database, location, stamp, cancellation));
        }

        return targets.Count > 0 ? targets : throw new LoadException($"The site {site.Name} has no databases.");
    }

    /// <param name="dumps">The version's directory of dumps, restored.</param>
    /// <exception cref="LoadException">Says what was replaced until then, if anything was.</exception>
    public async Task RunAsync(IReadOnlyList<DatabaseTarget> targets, string dumps, Action<string> step, CancellationToken cancellation)
    {
        var replaced = new List<DatabaseTarget>();
        var working = targets[0];
        try
        {
            try
            {
                foreach (var target in targets)
                {
                    working = target;
                    step($"loading {target.Database.Name} beside {target.Target}");
                    await LoadBesideAsync(target, DumpOf(target, dumps), cancellation);
                }

                foreach (var target in targets)
                {
                    working = target;
                    cancellation.ThrowIfCancellationRequested();
                    step($"replacing {target.Target}");
                    await SwapAsync(target, DumpOf(target, dumps));
                    replaced.Add(target);
                }
            }
            finally
            {
                foreach (var target in targets.Except(replaced))
                {
                    await DropBesideAsync(target);
                }
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or PostgresToolException or SqliteException)
        {
            var done = replaced.Count == 0
                ? "No database was changed."
                : $"Replaced before: {string.Join("; ", replaced.Select(target => $"{target.Target} (its state from before: {target.KeptAs})"))}. The others are as they were.";
            throw new LoadException($"The dump of {working.Database.Name} could not be loaded into {working.Target}: {failure.Message.TrimEnd('.')}. {done}", failure);
        }
    }

    private static string DumpOf(DatabaseTarget target, string dumps) => Path.Combine(dumps, Path.GetFileName(SlotDatabases.DumpPath(target.Database)));

    private DatabaseTarget OfSqlite(DatabaseConfig database, string file, string stamp)
    {
        var kept = Path.Combine(keep, $"{database.Name}-{stamp}.sqlite");
        return new DatabaseTarget(database, file, $"the SQLite file {file}", File.Exists(file), kept) { Kept = kept };
    }

    private static async Task<DatabaseTarget> OfPostgresAsync(DatabaseConfig database, string connection, string stamp, CancellationToken cancellation)
    {
        var name = SlotDatabases.DatabaseOf(connection);
        var kept = $"{name}_before_{stamp}";
        if (kept.Length > LongestName || Beside(name).Length > LongestName)
        {
            throw new LoadException($"The name of the database {name} is too long for another beside it: a PostgreSQL name has {LongestName} bytes at most, and {kept} has {kept.Length}.");
        }

        try
        {
            var found = await QueryAsync(connection, $"select 1 from pg_database where datname = {Literal(name)}", cancellation);
            return new DatabaseTarget(database, connection, $"the PostgreSQL database {name} on {ServerOf(connection)}", found.Trim() == "1", $"the database {kept}") { Kept = kept };
        }
        catch (PostgresToolException failure)
        {
            throw new LoadException($"The server of the database {database.Name} ({ServerOf(connection)}) could not be asked: {failure.Message} Nothing was changed.", failure);
        }
    }

    private static async Task LoadBesideAsync(DatabaseTarget target, string dump, CancellationToken cancellation)
    {
        if (target.Database.Kind == DatabaseKind.Sqlite)
        {
            // Checked while nothing was changed; it is loaded when it takes the other's place.
            await Task.Run(() => CheckSqlite(dump), cancellation);
            return;
        }

        if (!Directory.Exists(dump))
        {
            throw new DirectoryNotFoundException($"the version has no dump {SlotDatabases.DumpPath(target.Database)}");
        }

        var beside = Beside(SlotDatabases.DatabaseOf(target.Location));
        await PostgresTool.RunAsync("dropdb", target.Location, ["--if-exists", "--force", "--no-password", beside], cancellation);
        await PostgresTool.RunAsync("createdb", target.Location, ["--no-password", "--template=template0", beside], cancellation);
        await PostgresTool.RunAsync("pg_restore", target.Location, ["--no-password", "--no-owner", "--exit-on-error", "--dbname=" + beside, dump], cancellation);
    }

    /// <summary>Not to be cancelled: it takes a moment, and is all or nothing.</summary>
    private async Task SwapAsync(DatabaseTarget target, string dump)
    {
        if (target.Database.Kind == DatabaseKind.Sqlite)
        {
            await Task.Run(() => SwapSqlite(target, dump));
            return;
        }

        var name = SlotDatabases.DatabaseOf(target.Location);
        var intoPlace = $"alter database {Identifier(Beside(name))} rename to {Identifier(name)};";
        var sql = target.Exists
            ? $"select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = {Literal(name)} and pid <> pg_backend_pid();"
              + $"alter database {Identifier(name)} rename to {Identifier(target.Kept)}; {intoPlace}"
            : intoPlace;

        // One string of statements is one transaction.
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await QueryAsync(target.Location, sql, CancellationToken.None);
                return;
            }
            catch (PostgresToolException failure) when (attempt < SwapAttempts && failure.Message.Contains("accessed by other users", StringComparison.Ordinal))
            {
                // An app connected again between being sent away and the rename: the server has waited for five seconds already.
            }
        }
    }

    private static async Task DropBesideAsync(DatabaseTarget target)
    {
        if (target.Database.Kind == DatabaseKind.Postgres)
        {
            await PostgresTool.RunAsync(
                "dropdb", target.Location, ["--if-exists", "--force", "--no-password", Beside(SlotDatabases.DatabaseOf(target.Location))], CancellationToken.None);
        }
    }

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

    private static Task<string> QueryAsync(string connection, string sql, CancellationToken cancellation) =>
        PostgresTool.RunAsync("psql", connection, ["-X", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c", sql], cancellation);

    private static string Beside(string name) => name + "_mirror_loading";

    private static string Identifier(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    private static string ServerOf(string connection)
    {
        var builder = new DbConnectionStringBuilder { ConnectionString = connection };
        string Of(string otherwise, params string[] keys) => keys.Where(builder.ContainsKey).Select(key => (string)builder[key]).FirstOrDefault() ?? otherwise;
        return $"{Of("this machine", "Host", "Server")}:{Of("5432", "Port")}";
    }
}
