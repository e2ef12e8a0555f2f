using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Primary.Capture.Databases;

/// <summary>
/// MariaDB (or MySQL) by <c>mariadb-dump</c>: all tables of one snapshot in one stream, which <see cref="MariaDbSplitter"/> makes a file a table. Writers do not wait. A table whose engine has no
/// transactions is in no snapshot: then either writers are made to wait, because the configuration says so, or the capture fails and says which table it is.
/// </summary>
internal sealed class MariaDbDump(DatabaseConfig database, string connection, Niceness niceness, TimeProvider time) : IDatabaseDump
{
    private const int Shown = 5;

    private static readonly string[] options =
    [
        "--quick", "--routines", "--triggers", "--events", "--hex-blob", "--order-by-primary", "--skip-extended-insert", "--skip-dump-date", "--no-tablespaces",
        "--skip-add-locks", "--no-autocommit", "--default-character-set=utf8mb4", "--max-allowed-packet=1G",
    ];

    // Where transactions have names (GTID), a dump would set them on the server that it is loaded into.
    private static readonly string[] optionsOfMySql = ["--set-gtid-purged=OFF"];

    // Who goes together was looked at once, and again when the server is another.
    private string? agreed;

    public async Task WriteAsync(string target, DumpContents contents, CancellationToken cancellation)
    {
        var name = SlotDatabases.DatabaseOf(connection);
        var described = await DescribeAsync(name, cancellation);
        var pending = target + ".tmp";
        DumpDirectory.Remove(pending);
        DumpDirectory.Make(pending);
        if (File.Exists(target))
        {
            File.Delete(target);
        }

        using var splitter = new MariaDbSplitter(target, pending);
        var follower = contents.Follow(pending, target, time);
        var names = await follower.BesideAsync(DumpAsync, cancellation);
        DumpDirectory.Take(pending, target, names);
        contents.Add(follower, target);

        async Task<HashSet<string>> DumpAsync(CancellationToken token)
        {
            await DumpTool(name).RunAsync(time, token);
            if (!splitter.IsComplete)
            {
                throw new CaptureException($"mariadb-dump of {name} ended without saying that the dump is complete. See to the server's log; it is tried again with the next capture.");
            }

            if (described.Tables.Except(splitter.Tables).FirstOrDefault() is { } missing)
            {
                throw new CaptureException(
                    $"The dump of {name} lacks the table {missing}. Either it was dropped just now, and the next capture succeeds, or an option file of the client (such as ~/.my.cnf) tells it to leave tables out: remove that.");
            }

            splitter.Complete(["charset " + described.Charset, "collation " + described.Collation]);
            return [.. splitter.Names];
        }

        Tool DumpTool(string of) => MariaDbTool.Make(
            "mariadb-dump", database, connection, [.. options, .. MariaDbTool.IsOfMySql("mariadb-dump") ? optionsOfMySql : [], database.LockTables ? "--lock-tables" : "--single-transaction", "--", of]) with
        {
            Niceness = niceness,
            Within = database.Within,
            Output = splitter.ReadAsync,
        };
    }

    private sealed record Description(string Charset, string Collation, IReadOnlyList<string> Tables);

    private async Task<Description> DescribeAsync(string name, CancellationToken cancellation)
    {
        var rows = await MariaDbTool.QueryAsync(
            database, connection, name,
            "select 'server', version();"
            + "select 'schema', default_character_set_name, default_collation_name from information_schema.schemata where schema_name = database();"
            + "select 'table', t.table_name, t.table_type, coalesce(t.engine, ''), coalesce(e.transactions, 'YES') from information_schema.tables t"
            + " left join information_schema.engines e on e.engine = t.engine where t.table_schema = database() order by t.table_name;"
            + "select 'generated', table_name from information_schema.columns where table_schema = database() and generation_expression <> '' order by table_name limit 1;",
            time, cancellation);
        var server = rows.First(row => row[0] == "server")[1];
        await CheckVersionsAsync(server, cancellation);
        if (rows.FirstOrDefault(row => row[0] == "generated") is [_, var computed] && !server.Contains("MariaDB", StringComparison.Ordinal) && !MariaDbTool.IsOfMySql("mariadb-dump"))
        {
            throw new CaptureException(
                $"The database {name} cannot be dumped faithfully: its table {computed} has a generated column, whose values MariaDB's client writes down, and MySQL ({server}) refuses to load. "
                + "Have MySQL's own client installed here instead of MariaDB's.");
        }

        var tables = rows.Where(row => row[0] == "table" && row[2] != "SEQUENCE").ToList();
        var torn = tables.Where(row => row[2] != "VIEW" && row[4] != "YES").ToList();
        if (torn.Count > 0 && !database.LockTables)
        {
            throw new CaptureException(
                $"The database {name} has tables whose engine knows no transactions ({string.Join(", ", torn.Take(Shown).Select(row => $"{row[1]}: {row[3]}"))}{(torn.Count > Shown ? ", …" : "")}): "
                + "dumped beside the others they would be of another moment. Convert them (ALTER TABLE … ENGINE=InnoDB), or let writers wait during each dump with `lock-tables: true`.");
        }

        var schema = rows.First(row => row[0] == "schema");
        return new Description(schema[1], schema[2], [.. tables.Select(row => row[1])]);
    }

    private async Task CheckVersionsAsync(string server, CancellationToken cancellation)
    {
        if (server == agreed)
        {
            return;
        }

        var dump = MariaDbTool.Make("mariadb-dump", database, connection, []);
        var client = await (dump with { Arguments = ["--version"] }).RunAsync(time, cancellation);
        if (MariaDbTool.WrongVersions(client, server) is { } wrong)
        {
            throw new CaptureException($"The database {database.Name} cannot be dumped faithfully. {wrong}");
        }

        agreed = server;
    }
}
