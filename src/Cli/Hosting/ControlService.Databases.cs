using Grpc.Core;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;
using Mirror.Primary.Publish;
using Mirror.Replica.Warm;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Cli.Hosting;

// A version's dumps, into the databases that the site uses on this node.
internal sealed partial class ControlService : IDisposable
{
    private readonly SemaphoreSlim reloading = new(1, 1);

    public void Dispose() => reloading.Dispose();

    private Task ReloadDatabases(RestoreRequest request, IServerStreamWriter<Progress> responseStream, ServerCallContext context)
    {
        RequireAdministrator(context);
        return ReportAsync(responseStream, context, async (progress, cancellation) =>
        {
            var runner = sites.Find(request.Site) ?? throw new RpcException(new Status(StatusCode.NotFound, $"{member.Name} does not hold the site {request.Site}; ask one of its nodes with --node."));
            var (store, site, id) = (runner.Context.Store, runner.Context.Site, ToId(request.Version));
            var kept = store.Versions.FirstOrDefault(version => version.Record.Id == id)
                ?? throw new StoreException($"{member.Name} keeps no version {id} of {request.Site}; `mirror versions` lists what it keeps.");
            var place = Path.Combine(member.State, "databases", site.Name);
            var reload = new DatabaseReload(site, place, time);
            var (tree, slot) = store.Live is { } live ? (live.Tree, live.Slot) : (site.Files.Root, SlotDatabases.Unadopted);
            var targets = await reload.PlanAsync(tree, slot, request.Databases.Only, cancellation);
            RefuseWhereInUse(runner, targets, request);
            var outcome = new RestoreOutcome { Version = VersionSummaries.Of(kept) };
            outcome.Databases.AddRange(targets.Select(target => new DatabaseLine
            {
                Name = target.Database.Name, Target = target.Target, Exists = target.Exists, KeptAs = target.Exists ? target.KeptAs : "",
            }));
            if (request.DryRun)
            {
                return new Progress { Step = "nothing was changed", Finished = true, Ok = true, Version = outcome.Version, Restore = outcome };
            }

            if (!reloading.Wait(0, CancellationToken.None))
            {
                throw new StoreException($"{member.Name} is loading databases already. Wait for that.");
            }

            try
            {
                await ReloadAsync(store, id, reload, targets, place, progress, cancellation);
            }
            finally
            {
                reloading.Release();
            }

            return new Progress { Step = $"the databases are as in {id}", Finished = true, Ok = true, Version = outcome.Version, Restore = outcome };
        });
    }

    private static async Task ReloadAsync(
        VersionStore store, VersionId id, DatabaseReload reload, IReadOnlyList<DatabaseTarget> targets, string place, IProgress<StoreProgress> progress, CancellationToken cancellation)
    {
        // One that was interrupted left this.
        var dumps = Path.Combine(place, "loading");
        Directory.CreateDirectory(place, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (Directory.Exists(dumps))
        {
            Directory.Delete(dumps, recursive: true);
        }

        try
        {
            await store.RestoreAsync(id, dumps, new RestoreOptions { Path = EntryPath.Parse(SlotDatabases.Dumps) }, progress, cancellation);
            await reload.RunAsync(targets, dumps, step => progress.Report(new StoreProgress(step, 0, 0)), cancellation);
        }
        finally
        {
            if (Directory.Exists(dumps))
            {
                Directory.Delete(dumps, recursive: true);
            }
        }
    }

    private void RefuseWhereInUse(SiteRunner runner, IReadOnlyList<DatabaseTarget> targets, RestoreRequest request)
    {
        var names = string.Join(", ", targets.Select(target => target.Target));
        if (runner.Reign is not null && !request.Databases.Live)
        {
            throw new StoreException(
                $"{member.Name} is the primary of {request.Site}, and its apps use {names} now: what was written since {ToId(request.Version)} would be gone from there. "
                + $"To look at the old state: `mirror restore {ToId(request.Version)} DIRECTORY --path {SlotDatabases.Dumps}`, and load that under another name. To put the site itself back to it, say --live. Nothing was changed.");
        }

        if (runner.Context.Store.Live is null && targets.FirstOrDefault(target => target.Database.Kind == DatabaseKind.Sqlite) is { } file)
        {
            throw new StoreException(
                $"{member.Name} follows the primary of {request.Site}: {file.Target} lies in a slot, and is loaded anew with every version. Ask the primary with --node, or restore the dump to a directory with --path {SlotDatabases.Dumps}. Nothing was changed.");
        }
    }
}
