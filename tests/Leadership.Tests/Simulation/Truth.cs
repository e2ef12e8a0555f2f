using Mirror.Leadership.Core;

namespace Mirror.Leadership.Tests.Simulation;

internal sealed class BrokenPromiseException(string checker, string message) : Exception($"{checker}: {message}")
{
    public string Checker => checker;
}

/// <summary>
/// What is so, whatever the processes believe: kept outside of them, over all their lives. It is told of every vote that was answered, every reign, write
/// and version, and throws as soon as one of the seven promises is broken.
/// </summary>
internal sealed class Truth(World world)
{
    private readonly Dictionary<ulong, Process> winners = [];
    private readonly Promise[] promises = new Promise[world.Machines.Length];
    private readonly ulong[] granted = new ulong[world.Machines.Length];
    private readonly ulong[] admitted = new ulong[world.Machines.Length];
    private readonly List<App> serving = [];
    private ulong highestServed;
    private Version? servedFrom;
    private Version? consistent;
    private Machine? first;
    private bool isDiskLost;
    private readonly HashSet<Machine> told = [];
    private FailoverOrder? latest;
    private double? pausedSince;
    private Machine? last;
    private Left? leaving;
    private ulong failedOverIn;
    private double failedOverAt;
    private ulong acknowledged;

    public Version? Consistent => consistent;

    private int Majority => (promises.Length / 2) + 1;

    // 1: one primary for each epoch, and epochs only grow.

    /// <param name="askedAt">World time.</param>
    public void Won(Process process, ulong epoch, double askedAt)
    {
        // Which epochs it granted, a voter that lost its disk does not know any more; what it promised to no two at once, it keeps by waiting.
        if (!winners.TryAdd(epoch, process) && !isDiskLost)
        {
            throw Broken("one holder for each epoch", $"epoch {epoch} was won by {winners[epoch].Machine.Name} and by {process.Machine.Name}");
        }

        winners[epoch] = process;
        world.Tally.Epochs++;
        CheckWhetherItMayMove(process.Machine, epoch, askedAt);
        if (first is null)
        {
            first = process.Machine;
        }
        else if (process.Machine != first && world.Climate.OnlyBlips)
        {
            throw Broken("a blip moves nothing", $"{process.Machine.Name} won epoch {epoch}, though nothing lasted as long as a lease");
        }

        world.Tally.Failovers += winners.TryGetValue(epoch - 1, out var before) && before.Machine != process.Machine ? 1 : 0;
    }

    /// <param name="until">World time until which the voter is bound by its answer.</param>
    public void Granted(Machine voter, ulong epoch, string holder, double until)
    {
        ref var promise = ref promises[voter.Index];
        if (promise.Successor is { } successor && successor != holder && epoch > promise.Epoch && world.Time < promise.Until - 1e-4)
        {
            throw Broken("a reservation holds", $"{voter.Name} granted epoch {epoch} to {holder}, while it was kept for {successor}");
        }

        if (epoch < granted[voter.Index])
        {
            throw Broken("epochs only grow", $"{voter.Name} granted epoch {epoch} to {holder} after epoch {granted[voter.Index]}");
        }

        granted[voter.Index] = epoch;
        promise = new(epoch, holder, until, null);
    }

    public void GivenBack(Machine voter, ulong epoch, string? successor, double until)
    {
        if (promises[voter.Index].Epoch == epoch)
        {
            promises[voter.Index] = new(epoch, null, until, successor);
        }
    }

    // 7: what people said, and the time after a failover, hold it back.

    private void CheckWhetherItMayMove(Machine machine, ulong epoch, double askedAt)
    {
        var isFailover = last is not null && machine != last && (leaving is not { } left || left.Successor != machine.Name);
        if (isFailover && pausedSince is { } since && since < askedAt && !isDiskLost)
        {
            throw Broken("paused is paused", $"{machine.Name} took over from {last!.Name} in epoch {epoch}, and a majority of the voters knows since {since:0.000} s that nothing is to move");
        }

        var calm = (world.Rules.Block.TotalSeconds * 0.98) - world.Rules.Lease.TotalSeconds;
        if (isFailover && leaving is null && failedOverIn > acknowledged && world.Time - failedOverAt < calm && !isDiskLost)
        {
            throw Broken("one failover in the block time", $"{machine.Name} took over from {last!.Name} in epoch {epoch}, {world.Time - failedOverAt:0.000} s after the failover in epoch {failedOverIn}");
        }

        if (isFailover)
        {
            (failedOverIn, failedOverAt) = (epoch, world.Time);
            world.Tally.Moved++;
        }
        else if (machine != last)
        {
            failedOverIn = 0;
        }

        (last, leaving) = (machine, null);
    }

    public void Leaves(string? successor)
    {
        leaving = new(successor);
    }

    /// <summary>The latest word of an operator.</summary>
    public void Says(FailoverOrder order)
    {
        latest = order;
        acknowledged = order.Acknowledged;
        told.Clear();
        pausedSince = null;
    }

    /// <summary>A voter has it safe on disk. What a majority was told is so from then on, whatever becomes of them.</summary>
    public void Ordered(Machine voter, FailoverOrder order)
    {
        if (order == latest && told.Add(voter) && told.Count == Majority && order.Paused)
        {
            pausedSince = world.Time;
        }
    }

    // 2: a receiver takes nothing of an older epoch.

    public void Received(Machine machine, ulong epoch)
    {
        if (epoch < admitted[machine.Index])
        {
            throw Broken("receivers refuse older epochs", $"{machine.Name} took a version of epoch {epoch} after one of epoch {admitted[machine.Index]}");
        }

        admitted[machine.Index] = epoch;
    }

    // 3: nothing that was called consistent is ever lost.

    public void IsConsistent(Version version, Machine by)
    {
        // With a disk one of the copies is lost that made a version safe.
        if (isDiskLost || (consistent is not null && consistent.Contains(version)))
        {
            consistent = isDiskLost ? version : consistent;
            return;
        }

        if (consistent is not null && !version.Contains(consistent))
        {
            throw Broken("nothing consistent is lost", $"{by.Name} takes {version} for consistent, which does not contain {consistent}, which was so, too");
        }

        if (servedFrom is not null && version.Id.Epoch < highestServed && !servedFrom.Contains(version))
        {
            throw Broken("nothing consistent is lost", $"{by.Name} takes {version} for consistent, but epoch {highestServed} is served from {servedFrom}, which does not contain it");
        }

        consistent = version;
        world.Tally.Consistent++;
    }

    // 4, 5, 6: who accepts writes, and by what right.

    public void Serves(App app)
    {
        if (serving.Count > 0)
        {
            throw Broken("one accepts writes", $"{app} begins to while {serving[0]} does");
        }

        if (app.Epoch < highestServed)
        {
            throw Broken("no write under an older epoch", $"{app} begins to serve after epoch {highestServed}");
        }

        if (!winners.TryGetValue(app.Epoch, out var winner) || winner != app.Owner)
        {
            throw Broken("nobody serves an epoch it did not win", $"{app} serves, but {winner?.Machine.Name ?? "nobody"} won that epoch in this life");
        }

        var head = app.Owner.Machine.Disk.Head;
        if (consistent is not null && !isDiskLost && (head is null || !head.Contains(consistent)))
        {
            throw Broken("nothing consistent is lost", $"{app} begins to serve from {head?.ToString() ?? "nothing"}, which does not contain {consistent}");
        }

        if (app.Epoch > highestServed)
        {
            servedFrom = head;
        }

        highestServed = app.Epoch;
        serving.Add(app);
        CheckRight(app);
        world.Tally.Reigns++;
    }

    public void Writes(App app)
    {
        if (app.Epoch < highestServed)
        {
            throw Broken("no write under an older epoch", $"{app} accepts a write after epoch {highestServed} was served");
        }

        CheckRight(app);
        world.Tally.Writes++;
    }

    public void Stopped(App app)
    {
        CheckRight(app);
        serving.Remove(app);
    }

    /// <summary>Its machine is gone: whatever it had the right to.</summary>
    public void Vanished(App app) => serving.Remove(app);

    // Bound to the node under a later epoch, by a question of its life before that came late, a voter keeps everybody else out as well.
    private void CheckRight(App app)
    {
        var bound = 0;
        foreach (var promise in promises)
        {
            bound += promise.Epoch >= app.Epoch && promise.Holder == app.Owner.Machine.Name && promise.Until > world.Time ? 1 : 0;
        }

        if (bound < Majority)
        {
            throw Broken("who accepts writes has a majority", $"{app} does, and {bound} of {promises.Length} voters are bound to it");
        }
    }

    // 5: what diverged is kept.

    public void Moved(Machine machine, Version? from, Version to)
    {
        if (from is not null && !to.Contains(from) && !machine.Disk.Branches.Contains(from))
        {
            throw Broken("what diverged is kept", $"{machine.Name} goes from {from} to {to}, which does not contain it, and keeps no branch");
        }
    }

    public void DiskLost(Machine machine)
    {
        isDiskLost = true;
        granted[machine.Index] = 0;
        admitted[machine.Index] = 0;
    }

    /// <summary>At the end of the peace: the cluster came back to life, or all that was checked before proves nothing.</summary>
    public void CheckThatAllIsWell()
    {
        if (serving.Count != 1)
        {
            throw Broken("it lives", $"{serving.Count} accept writes after {World.Peace} s of peace: {string.Join("; ", world.Machines.Select(machine => machine.Process))}");
        }

        var newest = serving[0].Owner.Machine.Disk.Head!;
        foreach (var machine in world.Machines)
        {
            if (machine.IsNode && (machine.Disk.Head is not { } head || head.Id.Epoch != newest.Id.Epoch || head.Id.Sequence + 12 < newest.Id.Sequence))
            {
                throw Broken("it lives", $"{machine.Name} holds {machine.Disk.Head?.ToString() ?? "nothing"} after {World.Peace} s of peace, {serving[0]} {newest}");
            }
        }

        if (consistent is null || consistent.Id.Epoch != newest.Id.Epoch || consistent.Id.Sequence + 12 < newest.Id.Sequence)
        {
            throw Broken("it lives", $"the newest version known to be consistent is {consistent?.ToString() ?? "none"}, {serving[0]} has {newest}");
        }
    }

    private BrokenPromiseException Broken(string checker, string message) => new(checker, $"seed {world.Seed}, at {world.Time:0.000} s: {message}");

    /// <summary>The last reign ended in order.</summary>
    private sealed record Left(string? Successor);

    /// <summary>What a voter last answered: bound to a holder, or after a give-back to a successor.</summary>
    private readonly record struct Promise(ulong Epoch, string? Holder, double Until, string? Successor);
}
