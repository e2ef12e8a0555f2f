using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Akka;
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
        FirstSeeds = plan.Order;
        Silence = plan.Patience * 3;
        this.identity = identity;
        this.catalogue = catalogue;
        this.time = time;
        this.logs = logs;
        log = logs.CreateLogger("Mirror.Leadership.Membership");
    }

    /// <summary>Whom to look for at the start: all members.</summary>
    internal IReadOnlyList<string> FirstSeeds { get; init; }

    /// <summary>How long it hears nothing, alone beside members that run, before it starts anew.</summary>
    internal TimeSpan Silence { get; init; }

    /// <exception cref="ClusterException">The port could not be opened, with the reason.</exception>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        var first = Create(FirstSeeds);
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
        var island = new IslandSettings(name => PeerPort.RunsAsync(plan, identity, name, time), Silence, time);
        while (true)
        {
            var anew = new TaskCompletionSource<FreshStart>(TaskCreationOptions.RunContinuationsAsynchronously);
            system.ActorOf(Props.Create(() => new CatalogueActor(plan, catalogue, time, log)), "catalogue");
            system.ActorOf(Props.Create(() => new IslandActor(plan, island, start => anew.TrySetResult(start))), IslandActor.Name);
            using (var over = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token))
            {
                var tending = TendAsync(system, over.Token);
                await Task.WhenAny(anew.Task, tending);
                await over.CancelAsync();
                await tending;
            }

            await LeaveAsync(system);
            if (stopping.IsCancellationRequested)
            {
                return;
            }

            var start = anew.Task.IsCompletedSuccessfully ? await anew.Task : new FreshStart(plan.Order, "it had ended by itself");
            Log.StartsAnew(log, start.Reason);
            if (await CreateAgainAsync(start.Others) is not { } next)
            {
                return;
            }

            system = next;
        }
    }

    /// <summary>
    /// Returns when this member is out of the cluster, or cancelled. Sees to it that there is one: only the first member in order begins a cluster by itself,
    /// and when that is away the others would wait for it for ever.
    /// </summary>
    private async Task TendAsync(ActorSystem system, CancellationToken cancellation)
    {
        var cluster = Cluster.Get(system);
        var until = time.GetElapsedTime(0) + plan.Patience;
        var begun = false;
        while (!cancellation.IsCancellationRequested && !system.WhenTerminated.IsCompleted && !cluster.IsTerminated)
        {
            begun |= !cluster.State.Members.IsEmpty;
            if (!begun && time.GetElapsedTime(0) >= until)
            {
                begun = true;
                Log.Begins(log, plan.Self.Name);
                cluster.Join(cluster.SelfAddress);
            }

            await Task.Delay(LookEvery, time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task LeaveAsync(ActorSystem system)
    {
        try
        {
            await CoordinatedShutdown.Get(system).Run(OnOurWord.Instance).WaitAsync(LeaveWithin, time);
        }
        catch (TimeoutException)
        {
            Log.LeaveTookTooLong(log, LeaveWithin);
        }
        catch (AggregateException failed) when (failed.Flatten().InnerExceptions.All(cause => cause is NotOnOurWordException))
        {
            // The orderly way is open once, and a shutdown that was refused has used it up. So the others are told, and see the rest for themselves.
            await SayGoodbyeAsync(Cluster.Get(system));
        }

        await system.Terminate();
    }

    private async Task SayGoodbyeAsync(Cluster cluster)
    {
        cluster.Leave(cluster.SelfAddress);
        var began = time.GetTimestamp();
        while (cluster.SelfMember.Status is not (MemberStatus.Exiting or MemberStatus.Removed) && time.GetElapsedTime(began) < LookEvery * 8)
        {
            await Task.Delay(LookEvery / 5, time, CancellationToken.None);
        }
    }

    /// <summary>
    /// When it fails to shake hands with whoever answers at a member's address, the remoting shuts the whole actor system down. So one wrong certificate
    /// elsewhere, or a peer that dies at the wrong moment, would take this member out. It is refused; the connection alone is given up.
    /// </summary>
    private static void ShutDownOnlyOnOurWord(ActorSystem system)
    {
        var shutdown = CoordinatedShutdown.Get(system);
        shutdown.AddTask(CoordinatedShutdown.PhaseBeforeServiceUnbind, "only-on-our-word", () => shutdown.ShutdownReason is OnOurWord
            or CoordinatedShutdown.ClusterDowningReason or CoordinatedShutdown.ClusterLeavingReason
            ? Task.FromResult(Done.Instance)
            : throw new NotOnOurWordException());
    }

    /// <summary>The port was ours a moment ago; if somebody took it, it is tried again until it is free. Null when stopped meanwhile.</summary>
    private async Task<ActorSystem?> CreateAgainAsync(IReadOnlyList<string> seeds)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                return Create(seeds);
            }
            catch (ClusterException failure)
            {
                Log.NotStarted(log, failure);
                await Task.Delay(TimeSpan.FromSeconds(1), time, stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        return null;
    }

    private ActorSystem Create(IReadOnlyList<string> seeds)
    {
        var setup = ActorSystemSetup.Create(
            BootstrapSetup.Create().WithConfig(plan.Settings(seeds)),
            new DotNettySslSetup(identity.Certificate, suppressValidation: false, requireMutualAuthentication: true, IsMember),
            new ActorLogSetup(logs));
        try
        {
            var system = ActorSystem.Create(ClusterPlan.SystemName, setup);
            ShutDownOnlyOnOurWord(system);
            return system;
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

internal sealed class OnOurWord : CoordinatedShutdown.Reason
{
    public static readonly OnOurWord Instance = new();

    public override int ExitCode => 0;
}

internal sealed class NotOnOurWordException() : Exception("Only the member itself shuts its actor system down.");

public sealed class ClusterException(string message, Exception cause) : Exception(message, cause);
