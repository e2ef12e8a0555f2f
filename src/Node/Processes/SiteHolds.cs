namespace Mirror.Node.Processes;

/// <summary>
/// The leases of the node, from its guard's side: stops the apps of a site when the last renewal it was told of has run out, and when the node has died, as soon as no app of a site lives
/// any more, gives the lease back in its name. A node that only hangs, or whose pipe ended by mistake, may come to life again and believe in its lease: for that one nothing is given back.
/// </summary>
internal sealed class SiteHolds(TimeProvider time, long origin) : IDisposable
{
    /// <summary>The pipe of a process that dies is closed a moment before it is dead.</summary>
    private static readonly TimeSpan DeadWithin = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, SiteHold> _holds = [];
    private readonly int _node = PosixProcess.ParentId;
    private LastWill? _will;
    private TimeSpan? _leftAt;

    /// <param name="node">Null: nothing is given back.</param>
    public void Serve(GuardedNode? node) => _will = node is null ? null : new LastWill(node, time);

    public void Take(SiteHold hold)
    {
        _holds[hold.Site] = hold;
        _will?.Prepare(hold);
    }

    public void Release(string site) => _holds.Remove(site);

    /// <summary>Time until the first lease ends; null when none is left that can.</summary>
    public TimeSpan? NextEnd(TimeSpan now) =>
        _holds.Values.Select(hold => UntilOf(hold) - now).Where(static left => left > TimeSpan.Zero).Select(static left => (TimeSpan?)left).DefaultIfEmpty().Min();

    /// <summary>Stops the apps whose lease has ended.</summary>
    public void Enforce(IEnumerable<ProcessGroup> apps, TimeSpan now)
    {
        foreach (var app in apps)
        {
            if (_holds.TryGetValue(app.Site, out var hold) && now >= UntilOf(hold))
            {
                var killAt = UntilOf(hold) + TimeSpan.FromMilliseconds(hold.WithinMilliseconds);
                app.Stop(now, killAt > now ? killAt - now : TimeSpan.Zero);
            }
        }
    }

    /// <summary>After the node's pipe has ended: gives back what may be.</summary>
    /// <param name="living">Apps that have not ended yet.</param>
    /// <returns>False while something may still be given back.</returns>
    public bool TrySettle(IReadOnlyCollection<ProcessGroup> living, TimeSpan now)
    {
        if (_will is null || _holds.Count == 0)
        {
            return true;
        }

        _leftAt ??= now;
        if (PosixProcess.ParentId == _node)
        {
            return now > _leftAt + DeadWithin;
        }

        foreach (var (site, hold) in _holds)
        {
            if (living.All(app => app.Site != site))
            {
                _holds.Remove(site);
                _will.Begin(hold);
            }
        }

        return _holds.Count == 0;
    }

    /// <summary>Waits until the voters have been told.</summary>
    public void Dispose()
    {
        _will?.Finish();
        _will?.Dispose();
    }

    private TimeSpan UntilOf(SiteHold hold) => time.GetElapsedTime(origin, hold.Until);
}
