using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Replica.Warm;

/// <summary>What a command dumps, another loads: whether at once or bit by bit is its own affair. The present state is dumped first, and kept.</summary>
internal sealed class CommandReload(string site, string keep, TimeProvider time) : IReload
{
    public Task<DatabaseTarget> PlanAsync(DatabaseConfig database, string tree, string slot, string stamp, CancellationToken cancellation)
    {
        if (database.Load.Count == 0)
        {
            throw new LoadException(
                $"The database {database.Name} is dumped by a command, and no command is given that loads it. Add `load`, or restore the dump to a directory with --path {SlotDatabases.DumpPath(database)}. Nothing was changed.");
        }

        var kept = Path.Combine(keep, $"{database.Name}-{stamp}");
        return Task.FromResult(new DatabaseTarget(database, slot, $"what {Path.GetFileName(database.Load[0])} loads ({slot})", Exists: true, kept) { Kept = kept, Tree = tree });
    }

    public Task LoadBesideAsync(DatabaseTarget target, string dump, CancellationToken cancellation) =>
        Path.Exists(dump) ? Task.CompletedTask : throw new FileNotFoundException($"the version has no dump {SlotDatabases.DumpPath(target.Database)}");

    public async Task SwapAsync(DatabaseTarget target, string dump)
    {
        var (database, slot) = (target.Database, target.Location);
        Directory.CreateDirectory(keep);
        var present = DatabaseCommand.Dump(site, database, target.Tree, slot, target.Kept);
        if (DatabaseCommand.FillsDirectory(database))
        {
            Directory.CreateDirectory(target.Kept);
            await present.RunAsync(time, CancellationToken.None);
        }
        else
        {
            await using var file = new FileStream(target.Kept, FileMode.CreateNew);
            await (present with { Output = (output, token) => output.CopyToAsync(file, token) }).RunAsync(time, CancellationToken.None);
            file.Flush(flushToDisk: true);
        }

        try
        {
            await DatabaseCommand.Load(site, database, target.Tree, slot, dump).RunAsync(time, CancellationToken.None);
        }
        catch (ToolException failure)
        {
            throw new LoadException($"The dump of {database.Name} was not loaded, or not to its end; what was there before is in {target.KeptAs}: {failure.Message}", failure);
        }
    }

    public Task DropBesideAsync(DatabaseTarget target) => Task.CompletedTask;
}
