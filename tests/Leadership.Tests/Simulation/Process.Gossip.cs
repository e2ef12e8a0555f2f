using Mirror.Leadership.Core;

namespace Mirror.Leadership.Tests.Simulation;

/// <summary>What the members tell each other: late, lossy, in any order, and never a right. What is known here decides what is taken for consistent.</summary>
internal sealed partial class Process
{
    // Silent for so long, a member counts as unreachable.
    private const double Patience = 2.0;

    private readonly Entry?[] catalogue;
    private Version? declared;

    private sealed record Entry(string Node, Process Life, long Order, Version? Verified, ulong Epoch, bool IsPrimary, NodeHolding Holding, FailoverOrder Word, double HeardAt);

    private void Gossip()
    {
        Spread();
        Later(0.4 + (Random.NextDouble() * 0.2), Gossip);
    }

    private void Spread()
    {
        if (!Machine.IsNode)
        {
            return;
        }

        // What is held since before the vote stays protected by it. A vote that is being written counts as given.
        if (Verified is { } held && !isWriting && Book.Protects(vote, held.Id))
        {
            declared = held;
        }

        var holding = new NodeHolding(Name, Verified?.Id ?? default, Verified?.Base ?? default, true) { IsProtected = Verified == declared };
        var now = new Entry(Name, this, World.Tally.Events, Verified, reign?.Epoch ?? gate, reign is { HasEntered: true }, holding, vote.Order, World.Time);
        foreach (var other in World.Machines)
        {
            if (other == Machine)
            {
                Learn(now);
            }
            else
            {
                World.Network.Send(Machine, other, process => process.Learn(now));
            }
        }
    }

    private void Learn(Entry news)
    {
        ref var known = ref catalogue[World.Of(news.Node).Index];
        if (known is not null && known.Order > news.Order)
        {
            return;
        }

        var isMoved = known is null || known.Verified != news.Verified || known.Holding.IsProtected != news.Holding.IsProtected;
        var isTold = isMoved || known!.Epoch != news.Epoch || known.IsPrimary != news.IsPrimary;
        known = news with { HeardAt = World.Time };
        if (news.Word.Number > vote.Order.Number && Book.OrdersSpread)
        {
            OnOrder(news.Word);
        }

        if (isMoved)
        {
            Conclude();
        }

        // While its own vote binds it, a follower has nothing to decide.
        if (isTold && reign is null && Machine.IsNode && (Disk.IsLive || !vote.IsBoundToHolder(Now)))
        {
            Turn();
        }
    }

    private void Conclude()
    {
        var holdings = new List<NodeHolding>(catalogue.Length);
        foreach (var entry in catalogue)
        {
            if (entry is not null)
            {
                holdings.Add(entry.Holding);
            }
        }

        var latest = Book.Latest(holdings, Rules);
        if (latest == default)
        {
            return;
        }

        foreach (var entry in catalogue)
        {
            if (entry?.Verified is { } version && (version.Id == latest || version.Base == latest))
            {
                World.Truth.IsConsistent(version.Id == latest ? version : version.Root!, Machine);
                return;
            }
        }
    }

    private List<NodeHolding> Others()
    {
        var others = new List<NodeHolding>(catalogue.Length);
        foreach (var entry in catalogue)
        {
            if (entry is not null && entry.Node != Name)
            {
                others.Add(World.Time - entry.HeardAt < Patience ? entry.Holding : entry.Holding with { Reachable = false });
            }
        }

        return others;
    }
}
