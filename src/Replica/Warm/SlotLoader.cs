using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Replica.Warm;

/// <summary>A dump that is not there or does not load: the version cannot be warm. Names the database and what failed.</summary>
public sealed class LoadException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Loads a version's dumps into the slot's own databases, so that its apps find what the primary's had. Whatever was there before is replaced.</summary>
internal sealed class SlotLoader(SiteConfig site, TimeProvider time)
{
    public async Task LoadAsync(string tree, string slot, CancellationToken cancellation)
    {
        foreach (var database in site.Databases)
        {
            try
            {
                await LoadAsync(database, tree, slot, cancellation);
            }
            catch (Exception failure) when (failure is IOException or InvalidDataException or UnauthorizedAccessException or PostgresToolException or ToolException)
            {
                throw new LoadException($"The dump of {database.Name} could not be loaded: {failure.Message}", failure);
            }
        }
    }

    private async Task LoadAsync(DatabaseConfig database, string tree, string slot, CancellationToken cancellation)
    {
        var dump = Path.Combine(tree, SlotDatabases.DumpPath(database));
        switch (database.Kind)
        {
            case DatabaseKind.Sqlite:
                await Task.Run(() => CopySqlite(dump, SlotDatabases.Locate(database, tree, slot)), cancellation);
                break;
            case DatabaseKind.Postgres:
                await LoadPostgresAsync(dump, database.Connection!, SlotDatabases.Locate(database, tree, slot), cancellation);
                break;
            case DatabaseKind.MariaDb:
                await MariaDbLoad.RunAsync(dump, database, database.Connection!, SlotDatabases.DatabaseOf(SlotDatabases.Locate(database, tree, slot)), time, cancellation);
                break;
            case DatabaseKind.Command when database.Load.Count > 0:
                if (!Path.Exists(dump))
                {
                    throw new FileNotFoundException($"{dump} is not in this version.");
                }

                await DatabaseCommand.Load(site.Name, database, tree, slot, dump).RunAsync(time, cancellation);
                break;
        }
    }

    // A private copy with an inode of its own: the app may write to it, the version's dump may not change.
    private static void CopySqlite(string dump, string target)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        foreach (var suffix in new[] { "-wal", "-shm", "-journal" })
        {
            File.Delete(target + suffix);
        }

        var pending = target + ".loading";
        File.Copy(dump, pending, overwrite: true);
        File.SetUnixFileMode(pending, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        File.Move(pending, target, overwrite: true);
    }

    /// <summary>With the roles that it grants to.</summary>
    /// <exception cref="PostgresToolException"/>
    internal static async Task RestorePostgresAsync(string dump, string connection, string name, CancellationToken cancellation)
    {
        var lacking = await PostgresRolesLoad.RunAsync(SlotDatabases.RolesPath(dump), connection, cancellation);
        try
        {
            await PostgresTool.RunAsync("pg_restore", connection, ["--no-password", "--no-owner", "--exit-on-error", "--dbname=" + name, dump], cancellation);
        }
        catch (PostgresToolException failure) when (lacking is not null && failure.Message.Contains("role ", StringComparison.Ordinal))
        {
            // A role that nothing in the database is granted to may be missing.
            throw new PostgresToolException($"{failure.Message.TrimEnd('.')}. {lacking}", failure);
        }
    }

    private static async Task LoadPostgresAsync(string dump, string configured, string target, CancellationToken cancellation)
    {
        if (!Directory.Exists(dump))
        {
            throw new DirectoryNotFoundException($"{dump} is not in this version.");
        }

        var name = SlotDatabases.DatabaseOf(target);
        await PostgresTool.RunAsync("dropdb", configured, ["--if-exists", "--force", "--no-password", name], cancellation);
        await PostgresTool.RunAsync("createdb", configured, ["--no-password", "--template=template0", name], cancellation);
        await RestorePostgresAsync(dump, configured, name, cancellation);
    }
}
