using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Primary.Capture.Databases;

/// <summary>
/// Dumps a site's databases into the spool just before its files are read. A dump is written beside and renamed into place when it is complete, so the spool
/// always holds whole dumps; a database that cannot be dumped fails the capture.
/// </summary>
public sealed class SiteDumps
{
    private readonly string spool;
    private readonly IReadOnlyList<(DatabaseConfig Database, IDatabaseDump Dump)> dumps;

    /// <param name="spool">Directory for the finished dumps; made when there is a database.</param>
    /// <param name="gentle">Where SQLite is copied; null: anywhere.</param>
    public SiteDumps(SiteConfig site, string tree, string slot, string spool, TimeProvider time, GentleThreads? gentle = null)
    {
        this.spool = spool;
        var niceness = Niceness.Of(site.Capture);
        dumps =
        [
            .. site.Databases.Select(database => (database, database.Kind switch
            {
                DatabaseKind.Sqlite => new SqliteDump(SlotDatabases.Locate(database, tree, slot), database.Within, time, gentle),
                DatabaseKind.Postgres => new PostgresDump(database, SlotDatabases.Locate(database, tree, slot), niceness, time),
                DatabaseKind.MariaDb => new MariaDbDump(database, SlotDatabases.Locate(database, tree, slot), niceness, time),
                DatabaseKind.Command => (IDatabaseDump)new CommandDump(site.Name, database, tree, slot, niceness, time),
                _ => throw new InvalidOperationException($"Database {database.Name} is of unknown kind {database.Kind}."),
            })),
        ];
    }

    /// <summary>Null when the site has no databases.</summary>
    public string? Spool => dumps.Count == 0 ? null : spool;

    public IReadOnlyList<string> Labels => [.. dumps.Select(dump => dump.Database.Name)];

    /// <exception cref="CaptureException">Names the database, what failed and what to do.</exception>
    public async Task RunAsync(CancellationToken cancellation)
    {
        if (dumps.Count == 0)
        {
            return;
        }

        Directory.CreateDirectory(spool, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        RemoveStrays();
        foreach (var (database, dump) in dumps)
        {
            try
            {
                await dump.WriteAsync(TargetOf(database), cancellation);
            }
            catch (Exception failure) when (failure is not (OperationCanceledException or CaptureException))
            {
                throw new CaptureException($"The database {database.Name} could not be dumped: {failure.Message}", failure);
            }
        }
    }

    // What a crash left half-written, and dumps of databases the site no longer has, are no part of the next version.
    private void RemoveStrays()
    {
        var known = dumps.Select(dump => TargetOf(dump.Database)).ToHashSet(StringComparer.Ordinal);
        known.UnionWith(dumps.Where(dump => dump.Database.Kind == DatabaseKind.Postgres).Select(dump => SlotDatabases.RolesPath(TargetOf(dump.Database))));
        foreach (var stray in Directory.GetFileSystemEntries(spool).Where(entry => !known.Contains(entry)))
        {
            if (Directory.Exists(stray))
            {
                Directory.Delete(stray, recursive: true);
            }
            else
            {
                File.Delete(stray);
            }
        }
    }

    private string TargetOf(DatabaseConfig database) => Path.Combine(spool, Path.GetRelativePath(SlotDatabases.Dumps, SlotDatabases.DumpPath(database)));
}

/// <summary>One database's way of becoming ordinary files.</summary>
internal interface IDatabaseDump
{
    /// <param name="target">File or directory that holds the last complete dump, and is replaced by the new one.</param>
    Task WriteAsync(string target, CancellationToken cancellation);
}
