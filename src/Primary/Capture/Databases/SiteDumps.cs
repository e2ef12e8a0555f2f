using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Primary.Capture.Databases;

/// <summary>
/// Dumps a site's databases into the spool just before its files are read. A dump is written beside and renamed into place when it is complete, so the spool
/// always holds whole dumps; a database that cannot be dumped fails the capture.
/// </summary>
public sealed class SiteDumps
{
    private readonly string spool;
    private readonly GentleThreads? gentle;
    private readonly IReadOnlyList<(DatabaseConfig Database, IDatabaseDump Dump)> dumps;
    private readonly HashSet<EntryPath> quiet = [];
    private bool believed;

    /// <param name="spool">Directory for the finished dumps; made when there is a database.</param>
    /// <param name="gentle">Where SQLite is copied, and dumps are read while they are written; null: anywhere.</param>
    public SiteDumps(SiteConfig site, string tree, string slot, string spool, TimeProvider time, GentleThreads? gentle = null)
    {
        this.spool = spool;
        this.gentle = gentle;
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

    /// <param name="store">Holds the version that was captured last, which the dumps are compared with while they are written; null: the capture does that afterwards.</param>
    /// <returns>What the capture need not read again.</returns>
    /// <exception cref="CaptureException">Names the database, what failed and what to do.</exception>
    public async Task<DumpContents> RunAsync(VersionStore? store, CancellationToken cancellation)
    {
        var contents = new DumpContents(store, spool, quiet, gentle);
        if (dumps.Count == 0)
        {
            return contents;
        }

        if (!believed)
        {
            DumpBoot.Begin(spool);
            believed = true;
        }

        RemoveStrays();
        foreach (var (database, dump) in dumps)
        {
            try
            {
                await dump.WriteAsync(TargetOf(database), contents, cancellation);
            }
            catch (Exception failure)
            {
                // Half a dump may have taken the room that others need.
                RemoveStrays();
                if (failure is OperationCanceledException or CaptureException)
                {
                    throw;
                }

                throw new CaptureException($"The database {database.Name} could not be dumped: {failure.Message}", failure);
            }
        }

        return contents;
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
    /// <param name="contents">Gets what was found while the dump was written.</param>
    Task WriteAsync(string target, DumpContents contents, CancellationToken cancellation);
}
