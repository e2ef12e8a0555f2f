using System.Data.Common;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;

namespace Mirror.Replica.Warm;

/// <summary>PostgreSQL: loaded into a database beside, then both are renamed in one transaction.</summary>
internal sealed class PostgresReload : IReload
{
    private const int LongestName = 63;
    private const int SwapAttempts = 4;

    public async Task<DatabaseTarget> PlanAsync(DatabaseConfig database, string tree, string slot, string stamp, CancellationToken cancellation)
    {
        var connection = SlotDatabases.Locate(database, tree, slot);
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

    public async Task LoadBesideAsync(DatabaseTarget target, string dump, CancellationToken cancellation)
    {
        if (!Directory.Exists(dump))
        {
            throw new DirectoryNotFoundException($"the version has no dump {SlotDatabases.DumpPath(target.Database)}");
        }

        var beside = Beside(SlotDatabases.DatabaseOf(target.Location));
        await PostgresTool.RunAsync("dropdb", target.Location, ["--if-exists", "--force", "--no-password", beside], cancellation);
        await PostgresTool.RunAsync("createdb", target.Location, ["--no-password", "--template=template0", beside], cancellation);
        await SlotLoader.RestorePostgresAsync(dump, target.Location, beside, cancellation);
    }

    public async Task SwapAsync(DatabaseTarget target, string dump)
    {
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

    public Task DropBesideAsync(DatabaseTarget target) => PostgresTool.RunAsync(
        "dropdb", target.Location, ["--if-exists", "--force", "--no-password", Beside(SlotDatabases.DatabaseOf(target.Location))], CancellationToken.None);

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
