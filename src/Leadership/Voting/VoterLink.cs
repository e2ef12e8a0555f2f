using Grpc.Core;
using Mirror.Leadership.Core;
using Mirror.Node.Channels;
using Mirror.Node.Wire;
using VotingWire = Mirror.Node.Wire.Voting;

namespace Mirror.Leadership.Voting;

/// <summary>The way to one voter of a site. A voter that can't be reached is an answer too (null), not an exception.</summary>
internal interface IVoterLink
{
    string Voter { get; }

    Task<VoterReply> AskAsync(GrantAsk ask, bool probe, CancellationToken cancellation);

    Task<ReturnAnswer> GiveBackAsync(GiveBack back, CancellationToken cancellation);

    /// <param name="order">Null: only say what is known.</param>
    Task<OrderReply> HearAsync(FailoverOrder? order, CancellationToken cancellation);
}

internal sealed record GiveBack(ulong Epoch, string Holder, string? Successor, Leaving How);

/// <param name="Known">What the voter knows from now on; null when it did not answer, or abstains.</param>
/// <param name="Epoch">The highest it granted.</param>
internal sealed record OrderReply(string Voter, bool Accepted, FailoverOrder? Known, ulong Epoch, string Reason);

/// <param name="Answer">Null when the voter did not answer; <paramref name="Trouble"/> says why.</param>
internal sealed record VoterReply(string Voter, GrantAnswer? Answer, string? Trouble)
{
    public string Sentence => Answer?.Reason ?? $"It does not answer ({Trouble}).";
}

/// <summary>This member's own voter: no wire between. Only its disk can keep it busy, and a vote that was begun is not called back.</summary>
internal sealed class LocalVoter(string name, SiteVoter voter) : IVoterLink
{
    public string Voter => name;

    public Task<VoterReply> AskAsync(GrantAsk ask, bool probe, CancellationToken cancellation) =>
        Task.Run(() => new VoterReply(name, voter.Ask(ask, probe), null), CancellationToken.None);

    public Task<ReturnAnswer> GiveBackAsync(GiveBack back, CancellationToken cancellation) =>
        Task.Run(() => voter.GiveBack(back), CancellationToken.None);

    public Task<OrderReply> HearAsync(FailoverOrder? order, CancellationToken cancellation) => Task.Run(() => voter.Answer(name, order), CancellationToken.None);
}

/// <summary>A voter on another member, over the Voting service. The caller's token carries the time limit.</summary>
/// <param name="way">Votes have a connection of their own.</param>
/// <param name="connectWithin">How long a connection may be in the making before another is tried.</param>
internal sealed class RemoteVoter(string name, string site, QuestionChannel way, TimeSpan connectWithin) : IVoterLink
{
    // One sentence each; a voter that talks more is cut.
    private const int LongestReason = 500;

    public string Voter => name;

    public async Task<VoterReply> AskAsync(GrantAsk ask, bool probe, CancellationToken cancellation)
    {
        var request = new GrantRequest
        {
            Site = site,
            Epoch = ask.Epoch,
            Candidate = ask.Candidate,
            Verified = new VersionPosition { Epoch = ask.Verified.Epoch, Sequence = ask.Verified.Sequence },
            LeaseMs = (uint)Math.Ceiling(ask.Lease.TotalMilliseconds),
            Renewal = ask.Renewal,
            Probe = probe,
            Commanded = ask.Commanded,
            FailedOver = ask.FailedOver,
            Voters = ask.Voters ?? "",
            Order = ask.Order.Number > 0 ? OrderText.ToWire(ask.Order) : null,
        };
        var channel = way.Current;
        try
        {
            var reply = await new VotingWire.VotingClient(channel).RequestGrantAsync(request, cancellationToken: cancellation);
            var holder = reply.Holder.Length == 0 ? null : reply.Holder;
            return new(name, new(reply.Granted, reply.HighestEpoch, holder, TimeSpan.FromMilliseconds(reply.WaitMs), Cut(reply.Reason))
            {
                FailedOver = reply.FailedOver,
                OtherVoters = reply.OtherVoters,
                IsNew = reply.IsNew,
                Order = OrderText.FromWire(reply.Order) ?? FailoverOrder.None,
            }, null);
        }
        catch (RpcException failure) when (!cancellation.IsCancellationRequested)
        {
            return new(name, null, Cut($"{failure.StatusCode}: {failure.Status.Detail}"));
        }
        catch (Exception late) when (late is RpcException or OperationCanceledException or ObjectDisposedException)
        {
            way.Unanswered(channel, connectWithin);
            return new(name, null, "not in time");
        }
    }

    public async Task<OrderReply> HearAsync(FailoverOrder? order, CancellationToken cancellation)
    {
        try
        {
            var reply = await new VotingWire.VotingClient(way.Current).HearOrderAsync(
                new OrderRequest { Site = site, Order = order is null ? null : OrderText.ToWire(order) }, cancellationToken: cancellation);
            return new(name, reply.Accepted, OrderText.FromWire(reply.Known), reply.HighestEpoch, Cut(reply.Reason));
        }
        catch (RpcException failure)
        {
            return new(name, false, null, 0, Cut($"It does not answer ({failure.StatusCode}: {failure.Status.Detail})."));
        }
        catch (Exception late) when (late is OperationCanceledException or ObjectDisposedException)
        {
            return new(name, false, null, 0, "It does not answer (not in time).");
        }
    }

    public async Task<ReturnAnswer> GiveBackAsync(GiveBack back, CancellationToken cancellation)
    {
        var request = new GiveBackRequest { Site = site, Epoch = back.Epoch, Holder = back.Holder, Successor = back.Successor ?? "", InOrder = back.How == Leaving.InOrder };
        try
        {
            var reply = await new VotingWire.VotingClient(way.Current).GiveBackAsync(request, cancellationToken: cancellation);
            return new(reply.Accepted, Cut(reply.Reason));
        }
        catch (RpcException failure)
        {
            return new(false, Cut($"It does not answer ({failure.StatusCode}: {failure.Status.Detail})."));
        }
        catch (Exception late) when (late is OperationCanceledException or ObjectDisposedException)
        {
            return new(false, "It does not answer (not in time).");
        }
    }

    private static string Cut(string reason) => reason.Length <= LongestReason ? reason : reason[..LongestReason];
}
