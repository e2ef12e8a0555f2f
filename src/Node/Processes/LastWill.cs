using System.Collections.Concurrent;
using Grpc.Core;
using Grpc.Net.Client;
using Mirror.Node.Channels;
using Mirror.Node.Identity;
using Mirror.Node.Wire;

namespace Mirror.Node.Processes;

/// <summary>
/// Gives the leases of a dead node back, in its name and by its certificate, so that another can be appointed without waiting for them to run out. The caller has made sure that the node is
/// dead and that no app of the site lives: nothing here could. A voter that does not hear of it keeps its promise to the end.
/// </summary>
internal sealed class LastWill(GuardedNode node, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan TryAgainAfter = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan ToldWithin = TimeSpan.FromSeconds(5);

    private readonly Lazy<MemberIdentity> _identity = new(() => MemberIdentity.Load(node.Pki, node.Name, time));
    private readonly ConcurrentDictionary<string, Lazy<GrpcChannel>> _channels = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Task> _prepared = new(StringComparer.Ordinal);
    private readonly Dictionary<string, LockWill> _locks = new(StringComparer.Ordinal);
    private readonly List<Task> _telling = [];

    /// <summary>
    /// Makes the ways to the voters, so that nothing needs to be loaded, dialled or proved when it matters. The question asked has no effect: nobody holds epoch 0. Once for each site.
    /// </summary>
    public void Prepare(SiteHold hold)
    {
        _prepared.GetOrAdd(hold.Site, _ => Task.Run(() => Task.WhenAll(hold.Voters.Select(voter => AskAsync(voter, hold.Site, 0)))));
        if (hold.Lock is { } held && (!_locks.TryGetValue(hold.Site, out var known) || known.Held != held))
        {
            // A lock of its own for each reign.
            known?.Dispose();
            var will = _locks[hold.Site] = new LockWill(held, time);
            will.Prepare(AnswerWithin);
        }
    }

    /// <summary>Begins to tell the voters, or Consul; <see cref="Finish"/> waits for it.</summary>
    public void Begin(SiteHold hold)
    {
        _telling.Add(Task.Run(() => Task.WhenAll(hold.Voters.Select(voter => TellAsync(() => AskAsync(voter, hold.Site, hold.Epoch))))));
        if (hold.Lock is { } held)
        {
            var will = _locks.GetValueOrDefault(hold.Site) is { } known && known.Held == held ? known : _locks[hold.Site] = new LockWill(held, time);
            _telling.Add(Task.Run(() => TellAsync(() => will.TellAsync(AnswerWithin))));
        }
    }

    /// <summary>Returns when all have been told, or can't be.</summary>
    public void Finish() => _ = Task.WaitAll([.. _telling], ToldWithin + AnswerWithin);

    public void Dispose()
    {
        foreach (var will in _locks.Values)
        {
            will.Dispose();
        }

        foreach (var channel in _channels.Values.Where(static channel => channel.IsValueCreated))
        {
            channel.Value.Dispose();
        }

        if (_identity.IsValueCreated)
        {
            _identity.Value.Dispose();
        }
    }

    private async Task TellAsync(Func<Task<bool>> ask)
    {
        var begun = time.GetTimestamp();
        while (!await ask() && time.GetElapsedTime(begun) < ToldWithin)
        {
            await Task.Delay(TryAgainAfter, time);
        }
    }

    /// <returns>True when the voter answered, whatever it said: its answer to the same question will not be another.</returns>
    private async Task<bool> AskAsync(HoldVoter voter, string site, ulong epoch)
    {
        var request = new GiveBackRequest { Site = site, Epoch = epoch, Holder = node.Name, LastWill = true };
        try
        {
            var channel = _channels.GetOrAdd(
                voter.Name, _ => new Lazy<GrpcChannel>(() => PeerChannels.Open(voter.Name, voter.Address, voter.Port, _identity.Value))).Value;
            await new Voting.VotingClient(channel).GiveBackAsync(request, deadline: time.GetUtcNow().UtcDateTime + AnswerWithin);
            return true;
        }
        catch (RpcException)
        {
            return false; // Down, or cut off from here. Nobody is left to be told: the node is dead, and has its own log.
        }
        catch (IdentityException)
        {
            return true; // The node has said so when it started; without a name nobody would listen.
        }
    }
}
