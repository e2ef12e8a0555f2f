using Mirror.Leadership.Core;
using Mirror.Store.Versions;

namespace Mirror.Primary;

// What others hold of what this primary captured, and waiting for it.
public sealed partial class PrimaryRole
{
    private readonly Dictionary<string, (string Run, ulong Number)> reported = new(StringComparer.Ordinal);

    private IEnumerable<string> Others => site.Nodes.Where(name => name != node);

    /// <param name="run">Which row of reports this is of; empty when the replica numbers none.</param>
    /// <param name="number">Where in that row it is: one that comes late is passed over.</param>
    public void Report(string replica, ReplicaHolding holding, string run = "", ulong number = 0)
    {
        lock (reported)
        {
            if (run.Length > 0 && reported.TryGetValue(replica, out var last) && last.Run == run && last.Number >= number)
            {
                return;
            }

            reported[replica] = (run, number);
            replicas[replica] = holding;
        }

        var others = Others.ToArray();
        if (others.All(replicas.ContainsKey))
        {
            outbox.Trim(others.Min(name => replicas[name].Stored));
        }

        SignalChange();
    }

    /// <summary>How many nodes (this one included) hold a version verified; waits until <paramref name="copies"/> do.</summary>
    /// <exception cref="OperationCanceledException">Cancelled, or the role was left.</exception>
    public async Task<int> WaitForCopiesAsync(VersionId version, int copies, CancellationToken cancellation)
    {
        var holding = 0;
        await UntilAsync(() => (holding = 1 + replicas.Values.Count(replica => replica.Verified >= version)) >= copies, cancellation);
        return holding;
    }

    /// <summary>Why no waiting could ever reach a goal; null when it can be reached.</summary>
    public string? Unreachable(CopiesGoal goal)
    {
        var others = Others.Count();
        return goal.Replicas > others
            ? $"{goal} asks for {goal.Replicas} replicas, and {site.Name} has {others} besides its primary. Ask for at most {others}, or add nodes."
            : null;
    }

    /// <summary>
    /// The barrier: waits until enough replicas hold a version, for at most so long. With <see cref="BarrierAsync"/> before it, everything written to the site before the call is in what they hold.
    /// </summary>
    /// <exception cref="OperationCanceledException">Cancelled, or the role was left.</exception>
    public async Task<CopiesWaited> WaitForCopiesAsync(VersionId version, CopiesGoal goal, TimeSpan atMost, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        var after = new Dictionary<string, TimeSpan>(StringComparer.Ordinal);
        var reached = false;
        using var limit = new CancellationTokenSource(atMost, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            await UntilAsync(() => reached = IsReached(), either.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellation.IsCancellationRequested && !leaving.IsCancellationRequested)
        {
            // Long enough waited: who is there and who is not is the answer.
        }

        return new CopiesWaited(
            reached, [.. Others.Select(name => new WaitedReplica(name, replicas.GetValueOrDefault(name), after.TryGetValue(name, out var took) ? took : null))],
            time.GetElapsedTime(began));

        bool IsReached()
        {
            foreach (var name in Others)
            {
                if (replicas.TryGetValue(name, out var holding) && Holds(holding, goal.Stage, version))
                {
                    after.TryAdd(name, time.GetElapsedTime(began));
                }
                else
                {
                    // It had it and lost it: a damaged pack, say.
                    after.Remove(name);
                }
            }

            return goal.Stage == HoldingStage.Consistent ? IsConsistent(version, after.Keys) : after.Count >= goal.Replicas;
        }
    }

    /// <summary>
    /// Makes what was written before this call outlive this node: it is captured, and is then consistent, or received by every other node, so that whoever is primary next has it. One capture serves all
    /// who asked before it began.
    /// </summary>
    /// <returns>False: not in time.</returns>
    /// <exception cref="CaptureException"/>
    /// <exception cref="OperationCanceledException">Cancelled, or the role was left.</exception>
    public async Task<bool> SettleAsync(TimeSpan atMost, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(atMost, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            var captured = await BarrierAsync(allowMassDelete: false, either.Token);
            await UntilAsync(() => IsSettled(captured.Newest.Id), either.Token);
            return true;
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellation.IsCancellationRequested && !leaving.IsCancellationRequested)
        {
            return false;
        }
    }

    private bool IsSettled(VersionId version) =>
        Others.All(name => replicas.TryGetValue(name, out var holding) && holding.Stored >= version)
        || IsConsistent(version, [.. Others.Where(name => replicas.TryGetValue(name, out var holding) && holding.Verified >= version)]);

    /// <summary>Waits until one replica says it is where it should be.</summary>
    /// <exception cref="OperationCanceledException">Cancelled, or the role was left.</exception>
    public Task WaitForAsync(string replica, Func<ReplicaHolding, bool> reached, CancellationToken cancellation) =>
        UntilAsync(() => replicas.TryGetValue(replica, out var holding) && reached(holding), cancellation);

    private static bool Holds(ReplicaHolding holding, HoldingStage stage, VersionId version) => stage switch
    {
        HoldingStage.Stored => holding.Stored >= version,
        HoldingStage.Warm => holding.Warm >= version,
        _ => holding.Verified >= version,
    };

    // This node holds what it captured.
    private bool IsConsistent(VersionId version, IReadOnlyCollection<string> holders)
    {
        if (mark is not null)
        {
            return IsMarked(version);
        }

        var rules = new SiteRules(site.Name, site.Primary, site.Nodes, site.Voters, site.AutomaticFailover, TimeSpan.Zero);
        var protectors = holders.Where(name => replicas.TryGetValue(name, out var holding) && holding.IsProtected).Append(node);
        return protectors.Count(site.Voters.Contains) >= Consistency.Needed(rules) || holders.Count + 1 == site.Nodes.Count;
    }
}
