using Mirror.Node.Consul;

namespace Mirror.Testing.Consul;

/// <summary>
/// What Consul's servers know, written from its documented API and from what was seen of a real one: keys with locks and their delays, sessions that end with their time or with their checks,
/// services with checks that must be reported. Ask through a <see cref="StandInAgent"/>. It misbehaves on request.
/// </summary>
public sealed partial class StandInServers : IDisposable
{
    private readonly TimeProvider time;
    private readonly Lock gate = new();
    private readonly Dictionary<string, KeyEntry> keys = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Session> sessions = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Agent, string Id), Service> services = [];
    private readonly Dictionary<string, TimeSpan> delays = new(StringComparer.Ordinal);
    private readonly HashSet<string> failedAgents = new(StringComparer.Ordinal);
    private readonly ITimer timer;
    private ulong index = 10;
    private ulong keysGoneAt = 10;
    private ulong servicesAt = 10;
    private TaskCompletionSource changed = new();

    public StandInServers(TimeProvider time)
    {
        this.time = time;
        timer = time.CreateTimer(_ => Settle(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>A session that is not renewed ends after so many of its times to live; Consul promises between one and two.</summary>
    public double SessionGrace { get; set; } = 1.9;

    private TimeSpan Now => time.GetElapsedTime(0);

    public void Dispose() => timer.Dispose();

    /// <summary>All servers were down at once and come back from their disks: of delays they know nothing any more, and sessions begin to live anew.</summary>
    public void Restart() => Change(() =>
    {
        delays.Clear();
        foreach (var session in sessions.Values)
        {
            session.RenewedAt = Now;
        }
    });

    /// <summary>Ends all sessions, as an operator can.</summary>
    public void EndSessions() => Change(() => sessions.Keys.ToList().ForEach(End_NeedsGate));

    /// <summary>An older state was restored: all indexes are lower, and nothing else has changed.</summary>
    public void GoBack() => Change(() =>
    {
        index -= 5;
        keysGoneAt = servicesAt = index;
        foreach (var (key, entry) in keys)
        {
            keys[key] = entry with { ModifyIndex = Math.Min(entry.ModifyIndex, index) };
        }
    });

    /// <summary>A plain write or deletion, which asks for no lock.</summary>
    public void Overwrite(string key, byte[]? value) => Change(() =>
    {
        if (value is null)
        {
            keys.Remove(key);
            keysGoneAt = ++index;
        }
        else
        {
            var known = keys.GetValueOrDefault(key) ?? new KeyEntry(key, [], null, 0, 0);
            keys[key] = known with { Value = value, ModifyIndex = ++index };
        }
    });

    /// <summary>The machine of an agent is gone: other machines find out, and its node counts as failed; or it is back.</summary>
    public void Fail(string agent, bool failed) => Change(() =>
    {
        if (failed ? failedAgents.Add(agent) : failedAgents.Remove(agent))
        {
            servicesAt = ++index;
        }
    });

    public KeyEntry? Find(string key) => Reading(() => keys.GetValueOrDefault(key));

    public IReadOnlyList<string> Keys => Reading(() => keys.Keys.ToList());

    public IReadOnlyList<string> Sessions => Reading(() => sessions.Keys.ToList());

    internal KeyReading Read(string key) => Reading(() =>
        keys.TryGetValue(key, out var entry) ? new KeyReading(entry, entry.ModifyIndex) : new KeyReading(null, keysGoneAt));

    internal ServiceReading Services(string name) => Reading(() => new ServiceReading(
        [.. services.Values.Where(service => service.Ask.Name == name).OrderBy(static service => service.Ask.Id, StringComparer.Ordinal).Select(service => new ServiceInstance(
            service.Ask.Id, name, service.Ask.Tags, service.Ask.Address, service.Ask.Port, service.Ask.Meta, failedAgents.Contains(service.Agent) ? ServiceHealth.Critical : service.Health))],
        servicesAt));

    /// <summary>Completes at the next change; taken before the reading that it is to follow.</summary>
    internal Task Changed => Reading(() => changed.Task);

    internal string Open(string agent, SessionAsk ask) => Change(() =>
    {
        if (ask.TimeToLive < TimeSpan.FromSeconds(10))
        {
            throw new StandInException(500, $"Invalid Session TTL '{ask.TimeToLive.TotalNanoseconds:0}', must be between [10s=24h0m0s]");
        }

        if (!services.TryGetValue((agent, ask.Service), out var service))
        {
            throw new StandInException(500, $"Missing check 'service:{ask.Service}' registration");
        }

        if (service.Health == ServiceHealth.Critical || failedAgents.Contains(agent))
        {
            throw new StandInException(500, $"Check 'service:{ask.Service}' is in critical state");
        }

        var id = Guid.NewGuid().ToString();
        sessions[id] = new Session(agent, ask) { RenewedAt = Now };
        index++;
        return id;
    });

    internal bool Renew(string session) => Change(() =>
    {
        if (sessions.TryGetValue(session, out var known))
        {
            known.RenewedAt = Now;
        }

        return known is not null;
    });

    internal void Close(string session) => Change(() => End_NeedsGate(session));

    internal void Register(string agent, ServiceAsk ask) => Change(() =>
    {
        services[(agent, ask.Id)] = new Service(agent, ask) { Health = ask.Health, ReportedAt = Now };
        servicesAt = ++index;
    });

    internal void Deregister(string agent, string id) => Change(() =>
    {
        if (!services.Remove((agent, id)))
        {
            throw new StandInException(404, $"Unknown service ID \"{id}\". Ensure that the service ID is passed, not the service name.");
        }

        servicesAt = ++index;
    });

    /// <summary>As when an agent starts anew that keeps nothing on disk.</summary>
    internal void Forget(string agent) => Change(() =>
    {
        services.Keys.Where(key => key.Agent == agent).ToList().ForEach(key => services.Remove(key));
        servicesAt = ++index;
    });

    internal void Report(string agent, string id, ServiceHealth health) => Change(() =>
    {
        if (!services.TryGetValue((agent, id), out var service))
        {
            throw new StandInException(404, $"Unknown check ID \"service:{id}\". Ensure that the check ID is passed, not the check name.");
        }

        service.ReportedAt = Now;
        if (service.Health != health)
        {
            service.Health = health;
            servicesAt = ++index;
        }
    });

    private void Settle() => Change(static () => { });

    private T Reading<T>(Func<T> read) => Change(read);

    private void Change(Action change) => Change<object?>(() =>
    {
        change();
        return null;
    });

    // What time has brought comes before whatever is asked, and those who wait are told when the gate is open again.
    private T Change<T>(Func<T> change)
    {
        TaskCompletionSource? signal = null;
        try
        {
            lock (gate)
            {
                var before = index;
                try
                {
                    Settle_NeedsGate();
                    return change();
                }
                finally
                {
                    Settle_NeedsGate();
                    if (index != before)
                    {
                        (signal, changed) = (changed, new TaskCompletionSource());
                    }
                }
            }
        }
        finally
        {
            signal?.SetResult();
        }
    }

    private void Settle_NeedsGate()
    {
        var now = Now;
        foreach (var service in services.Values.Where(service => service.Health != ServiceHealth.Critical && now >= service.ReportedAt + service.Ask.TimeToLive))
        {
            service.Health = ServiceHealth.Critical;
            servicesAt = ++index;
        }

        foreach (var id in sessions.Where(pair => HasEnded_NeedsGate(pair.Value, now)).Select(static pair => pair.Key).ToList())
        {
            End_NeedsGate(id);
        }

        var next = services.Values.Where(static service => service.Health != ServiceHealth.Critical).Select(static service => service.ReportedAt + service.Ask.TimeToLive)
            .Concat(sessions.Values.Select(EndOf)).DefaultIfEmpty(TimeSpan.MaxValue).Min();
        timer.Change(next == TimeSpan.MaxValue ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(Math.Ceiling(Math.Max(1, (next - now).TotalMilliseconds))), Timeout.InfiniteTimeSpan);
    }

    private TimeSpan EndOf(Session session) => session.RenewedAt + (session.Ask.TimeToLive * SessionGrace);

    private bool HasEnded_NeedsGate(Session session, TimeSpan now) =>
        now >= EndOf(session) || failedAgents.Contains(session.Agent)
        || !services.TryGetValue((session.Agent, session.Ask.Service), out var service) || service.Health == ServiceHealth.Critical;

    private void End_NeedsGate(string id)
    {
        if (!sessions.Remove(id, out var session))
        {
            return;
        }

        index++;
        foreach (var (key, entry) in keys.Where(pair => pair.Value.Session == id).ToList())
        {
            keys[key] = entry with { Session = null, ModifyIndex = ++index };
            delays[key] = Now + session.Ask.LockDelay;
        }
    }

    private sealed class Session(string agent, SessionAsk ask)
    {
        public string Agent => agent;

        public SessionAsk Ask => ask;

        public TimeSpan RenewedAt { get; set; }
    }

    private sealed class Service(string agent, ServiceAsk ask)
    {
        public string Agent => agent;

        public ServiceAsk Ask => ask;

        public ServiceHealth Health { get; set; }

        public TimeSpan ReportedAt { get; set; }
    }
}

/// <summary>An answer with a fault, as Consul gives it.</summary>
public sealed class StandInException(int status, string message) : Exception(message)
{
    public int Status { get; } = status;
}
