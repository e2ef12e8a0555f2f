namespace Mirror.Node.Configuration;

/// <summary>One entry of <c>databases:</c>, read and written. Which keys it has depends on its kind, which is the one key that names where the data is.</summary>
internal static class DatabaseSection
{
    private static readonly (string Key, DatabaseKind Kind)[] kinds =
        [("sqlite", DatabaseKind.Sqlite), ("postgres", DatabaseKind.Postgres), ("mariadb", DatabaseKind.MariaDb), ("command", DatabaseKind.Command)];

    private static readonly (string Word, PostgresRoles Roles)[] roles =
        [("names", PostgresRoles.Names), ("passwords", PostgresRoles.Passwords), ("none", PostgresRoles.None)];

    public static DatabaseConfig Read(string name, Section section)
    {
        var given = kinds.Where(one => section.Has(one.Key)).ToList();
        var kind = given.Count > 0 ? given[0].Kind : DatabaseKind.Sqlite;
        if (given.Count != 1)
        {
            section.FaultHere(
                given.Count > 1 ? $"A database is of one kind; here are {string.Join(" and ", given.Select(one => one.Key))}." : "The kind of database is missing.",
                "Write `sqlite: data/site.db` (a path below the site's root), `postgres: \"Host=…;Database=…;Username=…\"`, `mariadb: \"Server=…;Database=…;User ID=…\"`, or `command: [program, arguments]`.");
        }

        var database = new DatabaseConfig(
            name, kind,
            kind == DatabaseKind.Sqlite && given.Count > 0 ? section.Text("sqlite") : null,
            kind is DatabaseKind.Postgres or DatabaseKind.MariaDb ? section.Text(given[0].Key) : null);
        database = kind switch
        {
            DatabaseKind.Postgres => database with { Roles = ReadRoles(section) },
            DatabaseKind.MariaDb => database with
            {
                OptionFile = section.Has("option-file") ? section.AbsolutePath("option-file") : null,
                LockTables = section.Flag("lock-tables", false),
            },
            DatabaseKind.Command => database with
            {
                Command = section.Texts("command", required: true),
                Load = section.Texts("load"),
                AtLeast = section.Size("at-least", 1, 1, 1L << 60),
            },
            _ => database,
        };
        database = database with { Within = section.Duration("within", database.Within, TimeSpan.FromSeconds(1), TimeSpan.FromDays(7)) };
        section.Close();
        return database;
    }

    /// <summary>What <c>{node}</c> means in it, for the member that reads the file.</summary>
    public static DatabaseConfig ForMember(DatabaseConfig database, Func<string, string> replace) => database with
    {
        Connection = database.Connection is { } connection ? replace(connection) : null,
        OptionFile = database.OptionFile is { } file ? replace(file) : null,
        Command = [.. database.Command.Select(replace)],
        Load = [.. database.Load.Select(replace)],
    };

    public static void Write(ConfigWriter.Text text, int depth, DatabaseConfig database)
    {
        var key = kinds.First(one => one.Kind == database.Kind).Key;
        if (database.Kind == DatabaseKind.Command)
        {
            text.List(depth, key, database.Command);
            text.Pair(depth, "at-least", Sizes.Format(database.AtLeast));
            if (database.Load.Count > 0)
            {
                text.List(depth, "load", database.Load);
            }
        }
        else
        {
            text.Pair(depth, key, database.Path ?? database.Connection ?? "");
        }

        if (database.Kind == DatabaseKind.Postgres)
        {
            text.Pair(depth, "roles", roles.First(one => one.Roles == database.Roles).Word);
        }

        if (database.OptionFile is { } file)
        {
            text.Pair(depth, "option-file", file);
        }

        if (database.LockTables)
        {
            text.Pair(depth, "lock-tables", "true");
        }

        text.Pair(depth, "within", Durations.Format(database.Within));
    }

    private static PostgresRoles ReadRoles(Section section)
    {
        var word = section.Text("roles", roles[0].Word);
        if (Array.Find(roles, one => one.Word == word) is { Word: not null } found)
        {
            return found.Roles;
        }

        section.Fault("roles", $"'{word}' is none of {string.Join(", ", roles.Select(one => one.Word))}.", Spelling.Suggest(word, [.. roles.Select(one => one.Word)]));
        return PostgresRoles.Names;
    }
}
