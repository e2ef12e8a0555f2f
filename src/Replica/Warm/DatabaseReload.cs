using System.Globalization;
using Microsoft.Data.Sqlite;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Replica.Warm;

/// <summary>A database that a dump would be, or was, loaded into.</summary>
/// <param name="Location">A connection string, or a file.</param>
/// <param name="Target">For a person: which database, and where.</param>
/// <param name="Exists">There is one by that name, which is replaced.</param>
/// <param name="KeptAs">Where its present state is kept; for a person.</param>
public sealed record DatabaseTarget(DatabaseConfig Database, string Location, string Target, bool Exists, string KeptAs)
{
    /// <summary>Name of the database, or path of the file, that keeps the present state.</summary>
    internal string Kept { get; init; } = "";

    /// <summary>The site's files.</summary>
    internal string Tree { get; init; } = "";
}

/// <summary>How one kind of database is replaced by an older state of itself.</summary>
internal interface IReload
{
    /// <param name="stamp">Tells what is kept now from what was kept before.</param>
    Task<DatabaseTarget> PlanAsync(DatabaseConfig database, string tree, string slot, string stamp, CancellationToken cancellation);

    /// <summary>Loads the dump, or at least looks at it, and changes nothing that is in use.</summary>
    Task LoadBesideAsync(DatabaseTarget target, string dump, CancellationToken cancellation);

    /// <summary>Not to be cancelled: it takes a moment, and is all or nothing.</summary>
    Task SwapAsync(DatabaseTarget target, string dump);

    Task DropBesideAsync(DatabaseTarget target);
}

/// <summary>
/// Loads a version's dumps into the databases that a site uses. All are loaded beside first; then each takes the place of the one in use at once, so that apps that have it open see the old state
/// or the new one. What was there is kept under another name, and nothing ever deletes it.
/// </summary>
/// <param name="keep">A directory for copies of SQLite files, and of what commands dump, outside of the site.</param>
public sealed class DatabaseReload(SiteConfig site, string keep, TimeProvider time)
{
    private readonly IReadOnlyDictionary<DatabaseKind, IReload> kinds = new Dictionary<DatabaseKind, IReload>
    {
        [DatabaseKind.Sqlite] = new SqliteReload(keep),
        [DatabaseKind.Postgres] = new PostgresReload(),
        [DatabaseKind.MariaDb] = new MariaDbReload(time),
        [DatabaseKind.Command] = new CommandReload(site.Name, keep, time),
    };

    /// <param name="only">Names of databases; none: all.</param>
    /// <exception cref="LoadException">One of the names is unknown, or a server does not answer.</exception>
    public async Task<IReadOnlyList<DatabaseTarget>> PlanAsync(string tree, string slot, IReadOnlyCollection<string> only, CancellationToken cancellation)
    {
        if (only.FirstOrDefault(name => site.Databases.All(database => database.Name != name)) is { } unknown)
        {
            throw new LoadException($"The site {site.Name} has no database {unknown}; it has {(site.Databases.Count == 0 ? "none" : string.Join(", ", site.Databases.Select(database => database.Name)))}.");
        }

        var stamp = time.GetUtcNow().ToString("yyyyMMddHHmmss", CultureInfo.InvariantCulture);
        var targets = new List<DatabaseTarget>();
        foreach (var database in site.Databases.Where(database => only.Count == 0 || only.Contains(database.Name)))
        {
            targets.Add(await kinds[database.Kind].PlanAsync(database, tree, slot, stamp, cancellation));
        }

        return targets.Count > 0 ? targets : throw new LoadException($"The site {site.Name} has no databases.");
    }

    /// <param name="dumps">The version's directory of dumps, restored.</param>
    /// <exception cref="LoadException">Says what was replaced until then, if anything was.</exception>
    public async Task RunAsync(IReadOnlyList<DatabaseTarget> targets, string dumps, Action<string> step, CancellationToken cancellation)
    {
        var replaced = new List<DatabaseTarget>();
        var working = targets[0];
        try
        {
            try
            {
                foreach (var target in targets)
                {
                    working = target;
                    step($"loading {target.Database.Name} beside {target.Target}");
                    await kinds[target.Database.Kind].LoadBesideAsync(target, DumpOf(target, dumps), cancellation);
                }

                foreach (var target in targets)
                {
                    working = target;
                    cancellation.ThrowIfCancellationRequested();
                    step($"replacing {target.Target}");
                    await kinds[target.Database.Kind].SwapAsync(target, DumpOf(target, dumps));
                    replaced.Add(target);
                }
            }
            finally
            {
                foreach (var target in targets.Except(replaced))
                {
                    await kinds[target.Database.Kind].DropBesideAsync(target);
                }
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or InvalidDataException or PostgresToolException or ToolException or SqliteException)
        {
            var done = replaced.Count == 0
                ? "No database was changed."
                : $"Replaced before: {string.Join("; ", replaced.Select(target => $"{target.Target} (its state from before: {target.KeptAs})"))}. The others are as they were.";
            throw new LoadException($"The dump of {working.Database.Name} could not be loaded into {working.Target}: {failure.Message.TrimEnd('.')}. {done}", failure);
        }
    }

    private static string DumpOf(DatabaseTarget target, string dumps) => Path.Combine(dumps, Path.GetFileName(SlotDatabases.DumpPath(target.Database)));
}
