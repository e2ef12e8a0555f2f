using Mirror.Store.Slots;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Faults;

/// <summary>
/// Runs a scenario again and again from the same start, with faults at every operation of the disk, and looks at the store after each: as before the step or as
/// after it, sound, nothing left behind; and what was interrupted can be done again and ends where it would have ended.
/// </summary>
internal sealed class FaultCampaign : IDisposable
{
    private readonly FaultScenario scenario;
    private readonly FaultSite site = new();
    private readonly List<string> reference = [];
    private readonly List<HashSet<VersionId>> restored = [];
    private TreeLiteral start = TreeLiteral.Empty;

    private FaultCampaign(FaultScenario scenario) => this.scenario = scenario;

    /// <summary>Labels of the operations of an undisturbed run.</summary>
    public List<string> Operations { get; private set; } = [];

    public FaultSite Site => site;

    public static async Task<FaultCampaign> StartAsync(FaultScenario scenario)
    {
        var campaign = new FaultCampaign(scenario);
        try
        {
            await scenario.Prepare(campaign.site);
            campaign.start = TreeLiteral.ReadFrom(campaign.site.Disk);
            campaign.Operations = await campaign.RunUndisturbedAsync(new FaultDisk());
            return campaign;
        }
        catch
        {
            campaign.Dispose();
            throw;
        }
    }

    /// <summary>One run with these faults; the first strikes the work, a second the clean-up after it: the same process', or the next one's when the first kills.</summary>
    /// <returns>Whether all of them struck.</returns>
    public async Task<bool> TryAsync(Fault first, Fault? second = null)
    {
        PutBack(start);
        var together = second is not null && !first.Kills;
        var disk = together ? new FaultDisk(first, second!) : new FaultDisk(first);
        var next = second is not null && first.Kills ? new FaultDisk(second) : null;
        try
        {
            var (done, ended) = await WorkAsync(disk, goOn: !first.Kills && second?.Kills != true && first.At % 2 == 0);
            if (next is not null)
            {
                await FailsHonestlyAsync(async () => await (await site.OpenAsync(next)).DisposeAsync());
            }

            await LookAsync(ended ? [scenario.Steps.Count] : Allowed(done));
        }
        catch (Exception error)
        {
            throw new InvalidOperationException($"{scenario.Name}: {disk.Describe()}{(next is null ? "" : $", then {next.Describe()}")}: {error.Message}", error);
        }

        return disk.AllStruck && next?.AllStruck != false;
    }

    /// <summary>The index's log cannot be synced, so many times from the commit with this number on; then the process is killed.</summary>
    /// <returns>False: that commit belongs to the opening.</returns>
    public async Task<bool> TryUnsyncedAsync(int at, int failures)
    {
        PutBack(start);
        var disk = new FaultDisk();
        var done = 0;
        IndexSyncs? syncs = null;
        await using (var store = await site.OpenAsync(disk))
        {
            if (disk.Operations.Count >= at)
            {
                return false;
            }

            disk.Watching = () =>
            {
                if (disk.Operations.Count == at)
                {
                    syncs = new IndexSyncs(store);
                    syncs.Fail(failures);
                }
            };
            try
            {
                Assert.True(await FailsHonestlyAsync(async () =>
                {
                    for (; done < scenario.Steps.Count; done++)
                    {
                        await scenario.Steps[done].RunAsync(site, store);
                    }
                }), "the sync failed, and nobody was told");
                site.KeepAsKilled();
            }
            finally
            {
                syncs?.Dispose();
            }
        }

        try
        {
            site.PutBackKilled();
            await LookAsync(Allowed(done));
        }
        catch (Exception error)
        {
            throw new InvalidOperationException($"{scenario.Name}: {failures} failed syncs from {at} on ({Operations[at - 1]}): {error.Message}", error);
        }

        return true;
    }

    /// <summary>Opens what is on the disk now and looks at it.</summary>
    /// <param name="allowed">Numbers of steps that may have been done.</param>
    public async Task LookAsync(IReadOnlyList<int> allowed)
    {
        await using var store = await site.OpenAsync();
        var at = RequireOneOf(allowed, site.Digest(store));
        AssertAll(restored[at], await site.AssertSoundAsync(store, trusted: at >= scenario.TrustedFrom));
        for (var step = at; step < scenario.Steps.Count; step++)
        {
            await scenario.Steps[step].RunAsync(site, store);
        }

        Assert.Equal(reference[^1], site.Digest(store));
        AssertAll(restored[^1], await site.AssertSoundAsync(store, trusted: true));
    }

    /// <summary>How many steps may have been done when the next one failed after this many.</summary>
    public List<int> Allowed(int done)
    {
        var allowed = new List<int> { done };
        if (done < scenario.Steps.Count)
        {
            allowed.Add(done + 1);
            for (var before = done; before > 0 && scenario.Steps[done].Unflipped && scenario.Steps[before - 1].Unflipped; before--)
            {
                allowed.Add(before - 1);
            }
        }

        return allowed;
    }

    public void PutBack(TreeLiteral tree)
    {
        site.Clear(site.Disk);
        tree.WriteTo(site.Disk);
    }

    /// <summary>The scenario from its start, undisturbed.</summary>
    /// <param name="disk">Asked for when the start is there.</param>
    public async Task RunAsync(Func<IStoreDisk> disk, Action<int> stepDone)
    {
        PutBack(start);
        await using var store = await site.OpenAsync(disk());
        stepDone(0);
        for (var step = 0; step < scenario.Steps.Count; step++)
        {
            await scenario.Steps[step].RunAsync(site, store);
            stepDone(step + 1);
        }
    }

    public void Dispose() => site.Dispose();

    private async Task<List<string>> RunUndisturbedAsync(FaultDisk disk)
    {
        await using var store = await site.OpenAsync(disk);
        List<string> operations = [];
        for (var step = 0; step <= scenario.Steps.Count; step++)
        {
            if (step > 0)
            {
                await scenario.Steps[step - 1].RunAsync(site, store);
            }

            // Restoring needs the disk, too, but is no part of the scenario.
            operations = [.. disk.Operations];
            disk.Mend();
            reference.Add(site.Digest(store));
            restored.Add(await site.AssertSoundAsync(store, trusted: step >= scenario.TrustedFrom));
            disk.Resume();
        }

        return operations;
    }

    private static void AssertAll(HashSet<VersionId> expected, HashSet<VersionId> found) =>
        Assert.True(expected.IsSubsetOf(found), $"{string.Join(", ", expected.Except(found))} could be restored before");

    /// <returns>Steps done before one failed, and whether all were.</returns>
    private async Task<(int Done, bool Ended)> WorkAsync(FaultDisk disk, bool goOn)
    {
        var done = 0;
        VersionStore? store = null;
        try
        {
            var failed = await FailsHonestlyAsync(async () =>
            {
                store = await site.OpenAsync(disk);
                for (; done < scenario.Steps.Count; done++)
                {
                    await scenario.Steps[done].RunAsync(site, store);
                }
            });
            if (failed && goOn && store is not null)
            {
                disk.Mend();
                await GoOnAsync(store, done);
            }

            return (done, !failed);
        }
        finally
        {
            if (store is not null)
            {
                await store.DisposeAsync();
            }
        }
    }

    /// <summary>In the same process, after its own clean-up: readers see what opening would see, unless the store refuses to go on.</summary>
    private async Task GoOnAsync(VersionStore store, int done)
    {
        // There is no such version: refused in any case, but not for the same reason.
        var refused = await FailureOf(() => store.NoteAsync(new VersionId(999, 999), "", CancellationToken.None));
        if (refused!.Message.Contains("could not be rolled back", StringComparison.Ordinal))
        {
            return;
        }

        RequireOneOf(Allowed(done), site.Digest(store));

        // Where packs are joined is cleared by whoever joins some next, or opens the store.
        site.AssertNothingLeft("thinning");
    }

    private int RequireOneOf(IReadOnlyList<int> allowed, string found) =>
        allowed.Select(done => (int?)done).FirstOrDefault(done => reference[done!.Value] == found)
            ?? throw new InvalidOperationException($"the store is neither old nor new.\n  found: {found}\n  {string.Join("\n  ", allowed.Select(done => $"after {done}: {reference[done]}"))}");

    private static async Task<bool> FailsHonestlyAsync(Func<Task> work) => await FailureOf(work) is not null;

    /// <summary>What a program that uses the store is prepared for; anything else is a fault of the store.</summary>
    private static async Task<Exception?> FailureOf(Func<Task> work)
    {
        try
        {
            await work();
            return null;
        }
        catch (Exception error) when (error is IOException or StoreException)
        {
            return error;
        }
    }
}
