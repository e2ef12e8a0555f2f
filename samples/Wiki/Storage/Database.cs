using Microsoft.Data.Sqlite;

namespace Wiki.Storage;

/// <summary>The SQLite database: users, sessions, edits and counters. What cannot be written can still be read.</summary>
public sealed class Database(WikiRoot root) : IDisposable
{
    private const int CannotOpen = 14;
    private const int ReadOnly = 8;
    private const int Busy = 5;

    private const string Schema =
        """
        CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT NOT NULL, created TEXT NOT NULL);
        CREATE TABLE sessions (token TEXT PRIMARY KEY, user TEXT NOT NULL, expires INTEGER NOT NULL);
        CREATE TABLE edits (id INTEGER PRIMARY KEY, page TEXT NOT NULL, revision INTEGER NOT NULL, author TEXT, at TEXT NOT NULL, bytes INTEGER NOT NULL);
        CREATE INDEX edits_by_page ON edits (page, revision);
        CREATE TABLE views (page TEXT PRIMARY KEY, count INTEGER NOT NULL);
        PRAGMA user_version = 1;
        """;

    private readonly string _writable = new SqliteConnectionStringBuilder { DataSource = root.DatabaseFile, DefaultTimeout = 5 }.ToString();

    // Without a directory it may write to, SQLite reads a database in WAL mode only when told that nobody changes it.
    private readonly string _immutable = new SqliteConnectionStringBuilder
    {
        DataSource = $"file:{Uri.EscapeDataString(root.DatabaseFile).Replace("%2F", "/", StringComparison.Ordinal)}?immutable=1",
        Mode = SqliteOpenMode.ReadOnly,
    }.ToString();

    /// <summary>True when an exception says that the database cannot be written just now, as opposed to that something is wrong with it.</summary>
    public static bool MeansReadOnly(SqliteException failure) => failure.SqliteErrorCode is CannotOpen or ReadOnly or Busy;

    /// <summary>Makes the tables of a new wiki.</summary>
    public void Prepare()
    {
        using var connection = Open();
        if (connection.Scalar<long>("PRAGMA user_version") > 0)
        {
            return;
        }

        connection.Execute("PRAGMA journal_mode = WAL");
        using var transaction = connection.BeginTransaction();
        connection.Execute(Schema);
        transaction.Commit();
    }

    public SqliteConnection Open()
    {
        try
        {
            return Open(_writable);
        }
        catch (SqliteException failure) when (MeansReadOnly(failure))
        {
            return Open(_immutable);
        }
    }

    /// <summary>Closes what the pool holds, so that SQLite folds its log into the database.</summary>
    public void Dispose() => SqliteConnection.ClearAllPools();

    private static SqliteConnection Open(string connectionString)
    {
        var connection = new SqliteConnection(connectionString);
        try
        {
            connection.Open();
            connection.Execute("PRAGMA busy_timeout = 5000"); // SQLite looks again after a millisecond, the library after 150.
            connection.Execute("PRAGMA synchronous = FULL"); // In WAL mode the default may lose the last commits at a power cut.
            connection.Scalar<long>("PRAGMA schema_version"); // The first look into the file: here is where a directory that can't be written shows.
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }
}

internal static class SqliteExtensions
{
    public static int Execute(this SqliteConnection connection, string sql, params (string Name, object? Value)[] parameters)
    {
        using var command = connection.Command(sql, parameters);
        return command.ExecuteNonQuery();
    }

    public static T? Scalar<T>(this SqliteConnection connection, string sql, params (string Name, object? Value)[] parameters)
    {
        using var command = connection.Command(sql, parameters);
        return command.ExecuteScalar() is T value ? value : default;
    }

    public static List<T> Query<T>(this SqliteConnection connection, string sql, Func<SqliteDataReader, T> row, params (string Name, object? Value)[] parameters)
    {
        using var command = connection.Command(sql, parameters);
        using var reader = command.ExecuteReader();
        var rows = new List<T>();
        while (reader.Read())
        {
            rows.Add(row(reader));
        }

        return rows;
    }

    private static SqliteCommand Command(this SqliteConnection connection, string sql, (string Name, object? Value)[] parameters)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        }

        return command;
    }
}
