using Mirror.Node.Configuration;
using Mirror.Node.Consul;

namespace Mirror.Node.Diagnosis;

/// <summary>
/// Does Consul answer, and does it let this member do what it will have to? Tried out: a service, a session that hangs on it, a lock under the prefix, each with a name that nobody else has, and
/// taken back again.
/// </summary>
internal sealed class ConsulChecks(ConsulConfig consul, string cluster, TimeProvider time)
{
    private const string Name = "consul";
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan TimeToLive = TimeSpan.FromSeconds(10);

    private readonly string _probe = $"mirror-doctor-{Guid.NewGuid():N}";

    /// <param name="sites">Those that this member holds.</param>
    public async Task<IReadOnlyList<Check>> RunAsync(IReadOnlyList<string> sites, CancellationToken cancellation)
    {
        var checks = new List<Check>();
        if (consul.Agent.TokenFile is { } file && File.Exists(file) && (File.GetUnixFileMode(file) & (UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) != 0)
        {
            checks.Add(new Check(Name, CheckResult.Warning, $"{file}, the token for Consul, may be read or written by others.", $"Run `chmod 600 {file}`."));
        }

        using var limit = new CancellationTokenSource(Within, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            using var client = new ConsulClient(consul.Agent, time);
            var leader = await client.LeaderAsync(either.Token);
            if (leader.Length == 0)
            {
                checks.Add(new Check(Name, CheckResult.Failed, $"Consul at {consul.Agent.Address} answers, but its servers have no leader.", "Look at `consul operator raft list-peers`: most of the servers have to run."));
                return checks;
            }

            checks.Add(Checkup.Ok(Name, $"Consul at {consul.Agent.Address} answers, led by {leader}."));
            await TryAsync(client, sites, checks, either.Token);
            foreach (var site in sites)
            {
                checks.Add(Primary(site, (await client.WatchServiceAsync(site, 0, TimeSpan.Zero, either.Token)).Instances));
            }
        }
        catch (ConsulException failure)
        {
            checks.Add(new Check(Name, CheckResult.Failed, failure.Message, Remedy(failure.Fault)));
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            checks.Add(new Check(Name, CheckResult.Failed, $"Consul at {consul.Agent.Address} takes more than {Within.TotalSeconds:0} s for a few questions.", Remedy(ConsulFault.Silent)));
        }

        return checks;
    }

    private async Task TryAsync(ConsulClient client, IReadOnlyList<string> sites, List<Check> checks, CancellationToken cancellation)
    {
        // Critical ones are in nobody's answers; only a session needs one that is well.
        var services = sites.Select((site, place) => new ServiceAsk($"{_probe}-{place}", site, [], "", 0, new Dictionary<string, string>(), TimeToLive, ServiceHealth.Critical))
            .Prepend(new ServiceAsk(_probe, ConsulConfig.MemberService, ["doctor"], "", 0, new Dictionary<string, string>(), TimeToLive, ServiceHealth.Passing)).ToList();
        var registered = new List<string>();
        try
        {
            foreach (var service in services)
            {
                await client.RegisterAsync(service, cancellation);
                registered.Add(service.Id);
            }

            checks.Add(Checkup.Ok(Name, $"The services {string.Join(", ", services.Select(static service => service.Name))} may be registered there."));
            if (consul.Arbiter)
            {
                await TryLockAsync(client, cancellation);
                checks.Add(Checkup.Ok(Name, $"Locks under {consul.Prefix}/{cluster}/ may be taken."));
            }
        }
        finally
        {
            foreach (var id in registered)
            {
                await client.DeregisterAsync(id, cancellation);
            }
        }
    }

    private static Check Primary(string site, IReadOnlyList<ServiceInstance> instances)
    {
        var primaries = instances.Where(static one => one.Health != ServiceHealth.Critical && one.Tags.Contains("primary")).Select(static one => $"{one.Address}:{one.Port}").ToList();
        return primaries.Count > 1
            ? new Check(
                Name, CheckResult.Warning, $"primary.{site}.service.consul is {string.Join(" and ", primaries)}.",
                "One of them is of a node that hangs or was cut off, and is gone within a lease; or another service is called like the site: give one of the two another name.")
            : Checkup.Ok(Name, primaries.Count == 1 ? $"primary.{site}.service.consul is {primaries[0]}." : $"primary.{site}.service.consul is nobody: no node serves {site} as its primary.");
    }

    private async Task TryLockAsync(ConsulClient client, CancellationToken cancellation)
    {
        var key = consul.LockKey(cluster, _probe);
        var session = await client.OpenSessionAsync(new(_probe, TimeToLive, TimeSpan.FromSeconds(1), _probe), cancellation);
        try
        {
            var outcome = await client.CommitAsync(
                [
                    new KeyOperation(KeyVerb.Cas, key) { Value = [] },
                    new KeyOperation(KeyVerb.Lock, key) { Session = session, Value = [] },
                    new KeyOperation(KeyVerb.CheckSession, key) { Session = session },
                    new KeyOperation(KeyVerb.Unlock, key) { Session = session, Value = [] },
                    new KeyOperation(KeyVerb.Delete, key),
                ],
                cancellation);
            if (!outcome.Committed)
            {
                throw new ConsulException(ConsulFault.Failed, $"Consul at {consul.Agent.Address} took no lock on {key}: {outcome.Why}");
            }
        }
        finally
        {
            await client.CloseSessionAsync(session, cancellation);
        }
    }

    private string Remedy(ConsulFault fault) => fault switch
    {
        ConsulFault.Silent => "Start the agent of this machine, or correct cluster.consul.address.",
        ConsulFault.Denied => $"Give the token service:write on mirror and the sites, session:write on the agent's node, and key:write on {consul.Prefix}/{cluster}/; docs/operations.md has the rules.",
        _ => "Its log says more: `consul monitor`.",
    };
}
