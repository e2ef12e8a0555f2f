using Mirror.Leadership.Core;

namespace Mirror.Leadership.Voting;

/// <summary>All voters asked the same thing at the same time, and what came back in time.</summary>
internal sealed record Poll(SiteRules Rules, GrantAsk Ask, TimeSpan AskedAt, IReadOnlyList<VoterReply> Replies)
{
    public int Granted => Replies.Count(reply => reply.Answer is { Granted: true });

    public bool IsWon => Granted >= Rules.Majority && Later is null && !IsBarred;

    /// <summary>The majority knows what voters there were; what others could tell is not waited for.</summary>
    private bool IsSure => IsWon && Replies.Count(reply => reply.Answer is { Granted: true, IsNew: false }) >= Rules.Majority;

    /// <summary>One that was heard knows of voters beside these, who could have a majority of their own.</summary>
    public bool IsBarred => Replies.Any(reply => reply.Answer is { OtherVoters: true });

    /// <summary>One of those who granted it took it for a failover. Others may not know who was primary last.</summary>
    public bool IsFailover => Replies.Any(reply => reply.Answer is { Granted: true, FailedOver: true });

    /// <summary>An operator's word that a voter knows and the candidate did not; null when there is none.</summary>
    public FailoverOrder? Later => Replies.Select(reply => reply.Answer?.Order).Where(order => order?.Number > Ask.Order.Number).MaxBy(order => order!.Number);

    public ulong HighestEpoch => Replies.Max(reply => reply.Answer?.HighestEpoch) ?? 0;

    /// <summary>One sentence on who refused and why.</summary>
    public string Refusals => string.Join(' ', Replies.Where(reply => reply.Answer is not { Granted: true }).Select(reply => $"{reply.Voter}: {reply.Sentence}"));

    /// <summary>Stops waiting as soon as a majority agreed that has seen a reign, or all have answered; a probe also when a voter said it will answer otherwise in a moment, and the moment has passed.</summary>
    public static async Task<Poll> TakeAsync(
        SiteRules rules, GrantAsk ask, bool probe, IReadOnlyList<IVoterLink> voters, TimeProvider time, CancellationToken cancellation)
    {
        var asked = time.GetElapsedTime(0);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var pending = voters.Select(voter => voter.AskAsync(ask, probe, limit.Token)).ToList();
        var poll = new Poll(rules, ask, asked, []);
        // Half the lease: what is granted later than that would hardly be worth having.
        var timeUp = Task.Delay(rules.Lease / 2, time, limit.Token);
        Task? moment = null;
        while (pending.Count > 0 && !poll.IsSure)
        {
            var first = await Task.WhenAny([.. pending, timeUp, .. moment is null ? Array.Empty<Task>() : [moment]]);
            if (first is not Task<VoterReply> answered)
            {
                break;
            }

            pending.Remove(answered);
            var reply = await answered;
            poll = poll with { Replies = [.. poll.Replies, reply] };
            if (probe && moment is null && reply.Answer is { Granted: false, Wait: var wait } && wait > TimeSpan.Zero && wait < rules.Lease)
            {
                moment = Task.Delay(wait, time, limit.Token);
            }
        }

        cancellation.ThrowIfCancellationRequested();
        limit.Cancel();
        return poll;
    }

    /// <summary>How long until a majority could agree, as far as the voters said.</summary>
    /// <param name="pace">How often to ask voters whose answer does not hang on time alone.</param>
    public TimeSpan Patience(TimeSpan pace)
    {
        var waits = Replies
            .Select(reply => reply.Answer switch
            {
                { Granted: true } => TimeSpan.Zero,
                { Wait: var wait } when wait > TimeSpan.Zero => wait,
                { } refused when refused.HighestEpoch >= Ask.Epoch => TimeSpan.Zero,
                _ => pace,
            })
            .Order()
            .ToList();
        return waits.Count >= Rules.Majority ? waits[Rules.Majority - 1] : pace;
    }
}
