using Microsoft.Extensions.Logging;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Store.Versions;

namespace Mirror.Replica.Warm;

/// <summary>
/// Makes the store's head warm: databases loaded, apps booted in its slot and healthy, then the flip. The apps of the slot that was current until then are handed
/// back to be drained. A version that does not boot is noted and stays unflipped, so what is current is always something that ran.
/// </summary>
internal sealed partial class Warmer(SiteConfig site, VersionStore store, SiteApps apps, AppSet? running, TimeProvider time, ILogger logger)
{
    private const string unhealthy = "unhealthy: ";

    private readonly SlotLoader loader = new(site, time);

    public AppSet? Running { get; private set; } = running;

    /// <summary>Version the running apps serve; a site without apps is warm when it is current.</summary>
    public VersionId Warm => (Running is not null || site.Apps.Count == 0) && !store.IsDiverged ? store.Current?.Id ?? default : default;

    /// <summary>Boots the head in its slot and flips to it.</summary>
    /// <returns>The apps of the old slot, still running.</returns>
    /// <exception cref="AppUnhealthyException"/><exception cref="LoadException"/>
    public async Task<AppSet?> AdvanceAsync(CancellationToken cancellation)
    {
        var next = await BootAsync(store.HeadTree, store.HeadSlot, cancellation);
        try
        {
            await store.FlipAsync(cancellation);
        }
        catch
        {
            await StopAsync(next);
            throw;
        }

        var old = Running;
        Running = next;
        return old;
    }

    /// <summary>Boots the current slot again, whatever is staged beside it: after a start, or when its apps have ended.</summary>
    /// <exception cref="AppUnhealthyException"/><exception cref="LoadException"/>
    public async Task ReviveAsync(CancellationToken cancellation)
    {
        await StopAsync(Running);
        Running = null;
        if (store.CurrentSlot is { } slot)
        {
            Running = await BootAsync(store.CurrentTree!, slot, cancellation);
        }
    }

    public async Task NoteUnhealthyAsync(VersionId version, string reason)
    {
        Log.Unhealthy(logger, site.Name, version.ToString(), reason);
        await store.NoteAsync(version, unhealthy + reason, CancellationToken.None);
    }

    /// <summary>It runs after all: what was noted against it no longer holds.</summary>
    public async Task NoteHealthyAsync(VersionId version)
    {
        if (store.Versions.Any(kept => kept.Record.Id == version && kept.Note.StartsWith(unhealthy, StringComparison.Ordinal)))
        {
            await store.NoteAsync(version, "", CancellationToken.None);
        }
    }

    public async Task StopAsync()
    {
        await StopAsync(Running);
        Running = null;
    }

    private async Task<AppSet?> BootAsync(string tree, string slot, CancellationToken cancellation)
    {
        await loader.LoadAsync(tree, slot, cancellation);
        if (site.Apps.Count == 0)
        {
            return null;
        }

        try
        {
            return await apps.BootAsync(tree, slot, "replica", SlotDatabases.Of(site, tree, slot), cancellation);
        }
        catch (AppTemplateException failure)
        {
            throw new AppUnhealthyException(failure.Message, failure);
        }
    }

    private static async Task StopAsync(AppSet? set)
    {
        if (set is not null)
        {
            await set.DisposeAsync();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(4020, LogLevel.Error, "{Site}: version {Version} is verified but does not run here: {Reason}. The version before it stays current")]
        public static partial void Unhealthy(ILogger logger, string site, string version, string reason);
    }
}
