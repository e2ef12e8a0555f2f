using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Replica.Warm;

/// <summary>
/// MariaDB: loaded into a database beside, then all tables change places in one statement, the old ones to the database that keeps them. A server moves neither triggers nor views nor routines
/// from one database to another: those are dropped just before and made anew just after, each in the database where its tables now are.
/// </summary>
internal sealed class MariaDbReload(TimeProvider time) : IReload
{
    private const int LongestName = 64;

    // Whoever has a transaction open on a table keeps it from being renamed.
    private const int LockSeconds = 30;

    public async Task<DatabaseTarget> PlanAsync(DatabaseConfig database, string tree, string slot, string stamp, CancellationToken cancellation)
    {
        var connection = SlotDatabases.Locate(database, tree, slot);
        var name = SlotDatabases.DatabaseOf(connection);
        var kept = $"{name}_before_{stamp}";
        if (kept.Length > LongestName)
        {
            throw new LoadException($"The name of the database {name} is too long for another beside it: a MariaDB name has {LongestName} characters at most, and {kept} has {kept.Length}.");
        }

        try
        {
            var found = await MariaDbTool.QueryAsync(
                database, connection, null, $"select 1 from information_schema.schemata where schema_name = {MariaDbTool.Literal(name)};", time, cancellation);
            return new DatabaseTarget(database, connection, $"the MariaDB database {name} on {MariaDbTool.ServerOf(connection)}", found.Count > 0, $"the database {kept}") { Kept = kept };
        }
        catch (ToolException failure)
        {
            throw new LoadException($"The server of the database {database.Name} ({MariaDbTool.ServerOf(connection)}) could not be asked: {failure.Message} Nothing was changed.", failure);
        }
    }

    public Task LoadBesideAsync(DatabaseTarget target, string dump, CancellationToken cancellation) =>
        MariaDbLoad.RunAsync(dump, target.Database, target.Location, Beside(target), time, cancellation);

    public async Task SwapAsync(DatabaseTarget target, string dump)
    {
        var (name, beside) = (SlotDatabases.DatabaseOf(target.Location), Beside(target));
        var after = await LookAsync(target, beside);
        var before = target.Exists ? await LookAsync(target, name) : null;
        var moves = new List<string>();
        if (before is not null)
        {
            moves.AddRange(before.Tables.Select(table => $"{Of(name, table)} to {Of(target.Kept, table)}"));
        }

        moves.AddRange(after.Tables.Select(table => $"{Of(beside, table)} to {Of(name, table)}"));
        // Where the tables go: a new database, so that it is certain what is in it.
        var home = before is null ? name : target.Kept;
        await RunAsync(target, null, Create(home, before ?? after));
        try
        {
            await RunAsync(
                target, null,
                $"set foreign_key_checks = 0; set lock_wait_timeout = {LockSeconds}; {before?.Drops} {after.Drops} {(moves.Count > 0 ? $"rename table {string.Join(", ", moves)};" : "")}");
        }
        catch (ToolException failure)
        {
            // The connection may have ended after all was done.
            if ((await LookAsync(target, home)).Tables.Count == 0)
            {
                await TakeBackAsync(target, name, before, home, failure);
                throw;
            }
        }

        try
        {
            await RunAsync(target, name, after.Objects);
            await MariaDbEvents.WakeAsync(target.Database, target.Location, name, time, CancellationToken.None);
            if (before is not null)
            {
                // It keeps a state: nothing in it runs.
                await RunAsync(target, target.Kept, before.Objects + string.Concat(before.Events.Select(one => $"alter event {Of(target.Kept, one)} disable;\n")));
            }
        }
        catch (ToolException failure)
        {
            throw new LoadException(
                $"The tables of {target.Target} are those of the version, and {(before is null ? "there were none before" : $"those from before are kept in {target.KeptAs}")}; but not all of its views, triggers and routines could be made: {failure.Message}",
                failure);
        }

        await DropBesideAsync(target);
    }

    public Task DropBesideAsync(DatabaseTarget target) => RunAsync(target, null, $"drop database if exists {MariaDbTool.Identifier(Beside(target))};");

    /// <summary>What a database holds besides rows.</summary>
    /// <param name="Drops">Statements that drop what cannot move.</param>
    /// <param name="Objects">A dump of what cannot move.</param>
    private sealed record Held(string Charset, string Collation, IReadOnlyList<string> Tables, IReadOnlyList<string> Events, string Drops, string Objects);

    private async Task<Held> LookAsync(DatabaseTarget target, string name)
    {
        var schema = MariaDbTool.Literal(name);
        var rows = await MariaDbTool.QueryAsync(
            target.Database, target.Location, null,
            $"select 'schema', default_character_set_name, default_collation_name from information_schema.schemata where schema_name = {schema};"
            + $"select if(table_type = 'VIEW', 'view', 'table'), table_name from information_schema.tables where table_schema = {schema} order by table_name;"
            + $"select 'trigger', trigger_name from information_schema.triggers where trigger_schema = {schema};"
            + $"select 'event', event_name from information_schema.events where event_schema = {schema};"
            + $"select lower(routine_type), routine_name from information_schema.routines where routine_schema = {schema};",
            time, CancellationToken.None);
        string[] Named(string kind) => [.. rows.Where(row => row[0] == kind).Select(row => row[1])];
        string[] droppable = ["view", "trigger", "event", "procedure", "function"];
        var drops = string.Concat(droppable.SelectMany(kind => Named(kind).Select(one => $"drop {kind} {Of(name, one)};\n")));
        var views = Named("view");
        var objects = views.Length == 0 ? "" : await DumpAsync(target, ["--no-data", "--skip-triggers", "--", name, .. views]);
        objects += await DumpAsync(target, ["--no-data", "--no-create-info", "--triggers", "--routines", "--events", "--", name]);
        var own = rows.First(row => row[0] == "schema");
        return new Held(own[1], own[2], Named("table"), Named("event"), drops, objects);
    }

    private Task<string> DumpAsync(DatabaseTarget target, string[] what) =>
        (MariaDbTool.Make("mariadb-dump", target.Database, target.Location, ["--skip-comments", "--no-tablespaces", "--default-character-set=utf8mb4", .. what]) with { Within = target.Database.Within })
            .RunAsync(time, CancellationToken.None);

    // The tables did not change places. What was dropped before that is made again, and the new database, which is empty, goes.
    private async Task TakeBackAsync(DatabaseTarget target, string name, Held? before, string home, ToolException failure)
    {
        try
        {
            if (before is not null)
            {
                var now = await LookAsync(target, name);
                await RunAsync(target, name, now.Drops + before.Objects);
            }

            await RunAsync(target, null, $"drop database {MariaDbTool.Identifier(home)};");
        }
        catch (ToolException second)
        {
            throw new LoadException(
                $"{target.Target} has its own tables as before, but lacks views, triggers or routines, which were dropped and could not be made again: {second.Message} It began with: {failure.Message}", second);
        }
    }

    private Task RunAsync(DatabaseTarget target, string? name, string sql)
    {
        string[] inside = name is null ? [] : ["--database=" + name];
        return (MariaDbTool.Make("mariadb", target.Database, target.Location, ["--batch", "--binary-mode", "--connect-timeout=10", "--default-character-set=utf8mb4", .. inside]) with
        {
            Within = target.Database.Within,
            Input = async (input, token) => await input.WriteAsync(System.Text.Encoding.UTF8.GetBytes(sql), token),
        }).RunAsync(time, CancellationToken.None);
    }

    private static string Create(string name, Held like) => $"create database {MariaDbTool.Identifier(name)} character set {like.Charset} collate {like.Collation};";

    private static string Of(string database, string name) => $"{MariaDbTool.Identifier(database)}.{MariaDbTool.Identifier(name)}";

    private static string Beside(DatabaseTarget target) => SlotDatabases.DatabaseOf(target.Location) + "_mirror_loading";
}
