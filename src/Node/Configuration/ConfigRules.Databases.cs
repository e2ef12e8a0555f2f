using System.Data.Common;
using System.Text;

namespace Mirror.Node.Configuration;

// What a site's databases must be.
internal sealed partial class ConfigRules
{
    // What the drivers take for the parts of a connection string.
    private static readonly string[] PasswordWords = ["password", "pwd", "psw"];
    private static readonly string[] HostWords = ["host", "server", "data source"];
    private static readonly string[] DatabaseWords = ["database", "db"];

    // A replica's private databases are called NAME_mirror_a and NAME_mirror_b. PostgreSQL cuts names at 63 bytes, MariaDB refuses more than 64 characters.
    private const int LongestDatabase = 54;

    private void CheckDatabases(SiteConfig site)
    {
        foreach (var database in site.Databases)
        {
            var key = $"sites.{site.Name}.databases.{database.Name}";
            if (database.Path is { Length: > 0 } path)
            {
                CheckSqlite(site, database, $"{key}.sqlite", path);
            }

            if (database.Connection is { Length: > 0 } connection)
            {
                CheckConnection(database.Kind == DatabaseKind.MariaDb ? $"{key}.mariadb" : $"{key}.postgres", database.Kind, connection);
            }

            if (database.Command.Count > 0)
            {
                CheckCommand($"{key}.command", database.Command, ["directory", "root", "slot", "node"]);
                CheckCommand($"{key}.load", database.Load, ["dump", "root", "slot", "node"]);
            }
        }
    }

    private void CheckSqlite(SiteConfig site, DatabaseConfig database, string key, string path)
    {
        if (path.StartsWith('/') || path.EndsWith('/') || path.Split('/').Any(part => part is "" or "." or ".."))
        {
            faults.Add(key, $"'{path}' is not a path below the site's root.", "Write it relative to files.root, e.g. data/wiki.db; keep the database inside the root.");
        }
        else if (IsReserved(path))
        {
            faults.Add(key, "`.mirror` at the top of a site belongs to Mirror.", "Keep the database elsewhere below the root.");
        }
        else if (site.Databases.TakeWhile(other => other != database).FirstOrDefault(other => other.Path == path) is { } first)
        {
            faults.Add(key, $"The file is already the database '{first.Name}'.", "Remove one of the two.");
        }
    }

    private void CheckConnection(string key, DatabaseKind kind, string connection)
    {
        var maria = kind == DatabaseKind.MariaDb;
        DbConnectionStringBuilder parts;
        try
        {
            parts = new DbConnectionStringBuilder { ConnectionString = connection };
        }
        catch (ArgumentException)
        {
            // The text may hold a password, so it is not repeated.
            faults.Add(key, "This is not a connection string.", maria ? "Write `Server=localhost;Database=shop;User ID=mirror`." : "Write `Host=localhost;Database=shop;Username=mirror`.");
            return;
        }

        if (PasswordWords.Any(parts.ContainsKey))
        {
            faults.Add(
                key, "The connection holds a password, which every reader of this file would see.",
                maria ? "Remove it, and put it into a file that only Mirror may read: `[client]`, and below it `password=…`; name that in option-file."
                    : "Remove it, put it in a password file, and name that in PGPASSFILE for the mirror process.");
        }

        if (!HostWords.Any(parts.ContainsKey))
        {
            faults.Add(key, "The connection names no host.", maria ? "Add `Server=localhost;` (or the path of the server's socket)." : "Add `Host=localhost;` (or the directory of PostgreSQL's socket).");
        }

        var name = DatabaseWords.Where(parts.ContainsKey).Select(part => parts[part] as string).FirstOrDefault() ?? "";
        if (name.Length == 0)
        {
            faults.Add(key, "The connection names no database.", "Add `Database=…;`.");
        }
        else if (Encoding.UTF8.GetByteCount(name) > LongestDatabase)
        {
            faults.Add(key, $"The database's name is longer than {LongestDatabase} bytes: '{name}'.", $"Rename it; replicas add 9 to it, and the server allows {(maria ? 64 : 63)}.");
        }
    }

    // Only words in braces that look like ours: a command may have braces of its own.
    private void CheckCommand(string key, IReadOnlyList<string> command, string[] known)
    {
        string[] ours = ["directory", "dump", "root", "slot", "node"];
        for (var i = 0; i < command.Count; i++)
        {
            if (ours.Except(known).FirstOrDefault(word => command[i].Contains($"{{{word}}}", StringComparison.Ordinal)) is { } misplaced)
            {
                faults.Add($"{key}[{i}]", $"{{{misplaced}}} means nothing here.", $"There are {string.Join(", ", known.Select(word => $"{{{word}}}"))}.");
            }
        }
    }
}
