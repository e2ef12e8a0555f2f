namespace Mirror.Node.Configuration;

public enum DatabaseKind
{
    Sqlite,
    Postgres,
    MariaDb,

    /// <summary>Any other: a command dumps it, and perhaps another loads it.</summary>
    Command,
}

/// <summary>What of a PostgreSQL server's roles goes into a version beside the database.</summary>
public enum PostgresRoles
{
    /// <summary>Names, rights and memberships, which every user may read.</summary>
    Names,

    /// <summary>Their (hashed) passwords, too, which only a superuser may read.</summary>
    Passwords,

    None,
}

/// <summary>One database of a site.</summary>
/// <param name="Path">SQLite: path of the database file relative to the site's root.</param>
/// <param name="Connection">PostgreSQL, MariaDB: connection string, with the database's name and without a password.</param>
public sealed record DatabaseConfig(string Name, DatabaseKind Kind, string? Path, string? Connection)
{
    public static readonly TimeSpan LongestDump = TimeSpan.FromHours(1);
    public static readonly TimeSpan LongestBusy = TimeSpan.FromSeconds(30);

    /// <summary>How long a dump may take; of SQLite, how long others may keep it busy.</summary>
    public TimeSpan Within { get; init; } = Kind == DatabaseKind.Sqlite ? LongestBusy : LongestDump;

    /// <summary>PostgreSQL: what is kept of the server's roles.</summary>
    public PostgresRoles Roles { get; init; }

    /// <summary>MariaDB: file with the client's password; null: the client's own files, or MYSQL_PWD.</summary>
    public string? OptionFile { get; init; }

    /// <summary>MariaDB: writers wait while it is dumped, because it has tables without transactions.</summary>
    public bool LockTables { get; init; }

    /// <summary>Any: program and arguments; what it prints is the dump, or what it puts into <c>{directory}</c>.</summary>
    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>Any: loads the dump on a replica; empty: it is only kept.</summary>
    public IReadOnlyList<string> Load { get; init; } = [];

    /// <summary>Any: a dump of fewer bytes is none.</summary>
    public long AtLeast { get; init; } = 1;
}
