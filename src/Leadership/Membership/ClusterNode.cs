using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Cluster;
using Akka.Event;
using Akka.Remote.Transport.DotNetty;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;

namespace Mirror.Leadership.Membership;

/// <summary>
/// This process as a member of the cluster: runs the actor system that spreads status, with mutual TLS, and keeps it running. It joins the others, begins
/// the cluster if nobody answers, and starts anew when it finds itself on an island. Stopping, it takes its leave, so that the others need not wonder.
/// </summary>
public sealed class ClusterNode : IHostedService, IDisposable
{
    private static readonly TimeSpan LeaveWithin = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250);

    private readonly ClusterPlan plan;
    private readonly MemberIdentity identity;
    private readonly GossipCatalogue catalogue;
    private readonly TimeProvider time;
    private readonly ILoggerFactory logs;
    private readonly ILogger log;
    private readonly CancellationTokenSource stopping = new();
    private Task running = Task.CompletedTask;

    internal ClusterNode(MirrorConfig config, MemberConfig member, MemberIdentity identity, GossipCatalogue catalogue, TimeProvider time, ILoggerFactory logs)
    {
        plan = new(config, member);
        this.identity = identity;
        this.catalogue = catalogue;
        this.time = time;
        this.logs = logs;
        log = logs.CreateLogger("Mirror.Leadership.Membership");
    }

    /// <exception cref="ClusterException">The port could not be opened, with the reason.</exception>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        var first = Create();
        running = RunAsync(first);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await stopping.CancelAsync();
        await running;
    }

    public void Dispose() => stopping.Dispose();

    private async Task RunAsync(ActorSystem first)
    {
        var system = first;
        while (true)
        {
            var anew = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            system.ActorOf(Props.Create(() => new CatalogueActor(plan, catalogue, time, log)), "catalogue");
            system.ActorOf(Props.Create(() => new IslandActor(plan, reason => anew.TrySetResult(reason))), IslandActor.Name);
            using (var joined = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token))
            {
                var joining = BeginIfAloneAsync(system, joined.Token);
                await Task.WhenAny(anew.Task, system.WhenTerminated, Task.Delay(Timeout.InfiniteTimeSpan, time, stopping.Token));
                await joined.CancelAsync();
                await joining;
            }

            await LeaveAsync(system);
            if (stopping.IsCancellationRequested)
            {
                return;
            }

            Log.StartsAnew(log, anew.Task.IsCompletedSuccessfully ? await anew.Task : "the actor system had ended by itself");
            if (await CreateAgainAsync() is not { } next)
            {
                return;
            }

            system = next;
        }
    }

    /// <summary>Only the first in order begins a cluster by itself; when it is away, the others would wait for it for ever.</summary>
    private async Task BeginIfAloneAsync(ActorSystem system, CancellationToken cancellation)
    {
        var cluster = Cluster.Get(system);
        var until = time.GetElapsedTime(0) + plan.Patience;
        while (!cancellation.IsCancellationRequested && !system.WhenTerminated.IsCompleted)
        {
            if (!cluster.State.Members.IsEmpty)
            {
                return;
            }

            if (time.GetElapsedTime(0) >= until)
            {
                Log.Begins(log, plan.Self.Name);
                cluster.Join(cluster.SelfAddress);
                return;
            }

            await Task.Delay(LookEvery, time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task LeaveAsync(ActorSystem system)
    {
        try
        {
            await CoordinatedShutdown.Get(system).Run(CoordinatedShutdown.ClusterLeavingReason.Instance).WaitAsync(LeaveWithin, time);
            await system.WhenTerminated.WaitAsync(LeaveWithin, time);
        }
        catch (TimeoutException)
        {
            // Its steps have limits of their own, so it ends; whoever needs the port meanwhile tries again.
            Log.LeaveTookTooLong(log, LeaveWithin);
        }
    }

    /// <summary>The port was ours a moment ago; if somebody took it, it is tried again until it is free. Null when stopped meanwhile.</summary>
    private async Task<ActorSystem?> CreateAgainAsync()
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                return Create();
            }
            catch (ClusterException failure)
            {
                Log.NotStarted(log, failure);
                await Task.Delay(TimeSpan.FromSeconds(1), time, stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        return null;
    }

    private ActorSystem Create()
    {
        var setup = ActorSystemSetup.Create(
            BootstrapSetup.Create().WithConfig(plan.Settings()),
            new DotNettySslSetup(identity.Certificate, suppressValidation: false, requireMutualAuthentication: true, IsMember),
            new ActorLogSetup(logs));
        try
        {
            return ActorSystem.Create(ClusterPlan.SystemName, setup);
        }
        catch (Exception failure)
        {
            var cause = failure.GetBaseException();
            throw new ClusterException(
                $"Member {plan.Self.Name} could not open its cluster port {plan.Self.Address}:{plan.Self.ClusterPort}: {cause.Message} Free the port, or give the member another cluster-port on all members.", failure);
        }
    }

    /// <summary>Asked in both directions of a handshake: whoever connects, and whoever is connected to, must hold a certificate of our CA as a member of this cluster.</summary>
    private bool IsMember(X509Certificate2? certificate, X509Chain? chain, string peer, SslPolicyErrors errors, ILoggingAdapter adapter)
    {
        if (certificate is null)
        {
            Log.Refused(log, peer, "it presented no certificate");
            return false;
        }

        var name = MemberIdentity.NameOf(certificate);
        if (!identity.Trusts(certificate, client: true) || !identity.Trusts(certificate, client: false))
        {
            Log.Refused(log, peer, "its certificate is not from this cluster's CA, or not in date");
            return false;
        }

        if (name is null || !plan.Config.Members.TryGetValue(name, out var member) || MemberIdentity.KindOf(certificate) != GossipCatalogue.KindOf(member))
        {
            Log.Refused(log, peer, "its certificate is not that of a member in this configuration");
            return false;
        }

        return true;
    }
}

public sealed class ClusterException(string message, Exception cause) : Exception(message, cause);
