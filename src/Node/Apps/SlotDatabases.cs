using System.Data.Common;
using Mirror.Node.Configuration;

namespace Mirror.Node.Apps;

/// <summary>
/// Which database belongs to which tree. A SQLite file lies in the tree itself, at its configured path; of a PostgreSQL or MariaDB database each slot has its own
/// (<c>NAME_mirror_a</c>, <c>NAME_mirror_b</c>) on the configured server, and the site's original root has the configured one. What commands dump and load is known to them alone.
/// </summary>
public static class SlotDatabases
{
    /// <summary>The slot name of a root that never was a slot.</summary>
    public const string Unadopted = "live";

    /// <summary>Top-level directory of a version that is Mirror's own; refused in sites.</summary>
    public const string Reserved = ".mirror";

    /// <summary>Where a version keeps its dumps, relative to its root.</summary>
    public const string Dumps = Reserved + "/dumps";

    /// <summary>Database name → file path or connection string, for dumping, loading and <c>{database:NAME}</c>.</summary>
    public static IReadOnlyDictionary<string, string> Of(SiteConfig site, string tree, string slot) =>
        site.Databases.Where(database => database.Kind != DatabaseKind.Command).ToDictionary(database => database.Name, database => Locate(database, tree, slot), StringComparer.Ordinal);

    public static string Locate(DatabaseConfig database, string tree, string slot) => database.Kind switch
    {
        DatabaseKind.Sqlite => Path.Combine(tree, database.Path!),
        DatabaseKind.Postgres or DatabaseKind.MariaDb when slot == Unadopted => database.Connection!,
        DatabaseKind.Postgres or DatabaseKind.MariaDb => WithDatabase(database.Connection!, $"{DatabaseOf(database.Connection!)}_mirror_{slot}"),
        _ => throw new InvalidOperationException($"Database {database.Name} is of unknown kind {database.Kind}."),
    };

    /// <summary>The dump's path in a version: a file for SQLite, a directory for the others; of a command either, as it chooses.</summary>
    public static string DumpPath(DatabaseConfig database) => database.Kind switch
    {
        DatabaseKind.Sqlite => $"{Dumps}/{database.Name}.sqlite",
        _ => $"{Dumps}/{database.Name}",
    };

    /// <summary>Where the roles of a PostgreSQL server are, beside the dump of a database.</summary>
    public static string RolesPath(string dump) => dump + ".roles.sql";

    /// <summary>Paths in a tree that belong to a live database and are never part of a version.</summary>
    public static IReadOnlyList<string> PrivatePaths(SiteConfig site) =>
        [.. from database in site.Databases
            where database.Kind == DatabaseKind.Sqlite
            from suffix in new[] { "", "-wal", "-shm", "-journal" }
            select database.Path + suffix];

    public static string WithDatabase(string connection, string name)
    {
        var builder = new DbConnectionStringBuilder { ConnectionString = connection };
        builder["Database"] = name;
        return builder.ConnectionString;
    }

    public static string DatabaseOf(string connection)
    {
        var builder = new DbConnectionStringBuilder { ConnectionString = connection };
        return builder.TryGetValue("Database", out var name) || builder.TryGetValue("Db", out name)
            ? (string)name
            : throw new InvalidOperationException("The connection names no Database.");
    }
}
