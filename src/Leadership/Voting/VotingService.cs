using Grpc.Core;
using Mirror.Leadership.Core;
using Mirror.Node.Listening;
using Mirror.Node.Wire;
using VotingWire = Mirror.Node.Wire.Voting;

namespace Mirror.Leadership.Voting;

/// <summary>The voters of this member, for others to ask. Nobody can ask in another's name: the name is the one in the caller's certificate.</summary>
internal sealed class VotingService(OwnVoters voters) : VotingWire.VotingBase
{
    public override Task<GrantReply> RequestGrant(GrantRequest request, ServerCallContext context)
    {
        if (Refusal(request.Candidate, request.Site, context, out var voter) is { } refusal)
        {
            return Task.FromResult(new GrantReply { Reason = refusal });
        }

        var verified = new Position(request.Verified?.Epoch ?? 0, request.Verified?.Sequence ?? 0);
        var ask = new GrantAsk(request.Epoch, request.Candidate, verified, TimeSpan.FromMilliseconds(request.LeaseMs), request.Renewal) 
        {
            Commanded = request.Commanded, FailedOver = request.FailedOver, Order = OrderText.FromWire(request.Order) ?? FailoverOrder.None, Voters = request.Voters.Length == 0 ? null : request.Voters,
        };
        var answer = voter!.Ask(ask, request.Probe);
        return Task.FromResult(new GrantReply
        {
            Granted = answer.Granted,
            HighestEpoch = answer.HighestEpoch,
            Holder = answer.Holder ?? "",
            Reason = answer.Reason,
            Order = answer.Order.Number > 0 ? OrderText.ToWire(answer.Order) : null,
            FailedOver = answer.FailedOver,
            OtherVoters = answer.OtherVoters,
            IsNew = answer.IsNew,
            WaitMs = (uint)Math.Ceiling(Math.Max(0, answer.Wait.TotalMilliseconds)),
        });
    }

    public override Task<GiveBackReply> GiveBack(GiveBackRequest request, ServerCallContext context)
    {
        if (Refusal(request.Holder, request.Site, context, out var voter) is { } refusal)
        {
            return Task.FromResult(new GiveBackReply { Reason = refusal });
        }

        var how = request.LastWill ? Leaving.Died : request.InOrder ? Leaving.InOrder : Leaving.NotWon;
        var answer = voter!.GiveBack(new(request.Epoch, request.Holder, request.Successor.Length == 0 ? null : request.Successor, how));
        return Task.FromResult(new GiveBackReply { Accepted = answer.Accepted, Reason = answer.Reason });
    }

    public override Task<OrderAnswer> HearOrder(OrderRequest request, ServerCallContext context)
    {
        var caller = Callers.CallerOf(context);
        if (!caller.IsLocal && caller.Kind is not ("admin" or "node"))
        {
            return Task.FromResult(new OrderAnswer { Reason = $"{caller.Name} is a {caller.Kind}; operators speak through a node, or with the admin's certificate." });
        }

        if (voters.Of(request.Site) is not { } voter)
        {
            return Task.FromResult(new OrderAnswer { Reason = "This member is no voter for that site." });
        }

        var reply = voter.Answer("", OrderText.FromWire(request.Order));
        return Task.FromResult(new OrderAnswer
        {
            Accepted = reply.Accepted, Known = reply.Known is { } known ? OrderText.ToWire(known) : null, HighestEpoch = reply.Epoch, Reason = reply.Reason,
        });
    }

    private string? Refusal(string claimed, string site, ServerCallContext context, out SiteVoter? voter)
    {
        voter = voters.Of(site);
        var name = Callers.PeerName(context);
        if (name is null || name != claimed)
        {
            return $"The caller's certificate is for {name ?? "nobody"}: a node asks only in its own name.";
        }

        return voter is null ? "This member is no voter for that site." : null;
    }
}

/// <summary>The sites this member votes for.</summary>
internal sealed class OwnVoters(IReadOnlyDictionary<string, SiteVoter> bySite)
{
    public SiteVoter? Of(string site) => bySite.GetValueOrDefault(site);
}
