using Microsoft.Extensions.Logging;
using Mirror.Leadership.Core;

namespace Mirror.Leadership.Voting;

/// <summary>
/// This member's own vote for one site: the pure <see cref="Voter"/> with its file, its clock and a lock around them. A grant leaves only after it is on
/// disk. If the file is damaged the voter does not know what it promised, so it abstains, and says so to whoever asks.
/// </summary>
internal sealed class SiteVoter
{
    private readonly SiteRules rules;
    private readonly VoterFile file;
    private readonly Func<Position> verified;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly Lock guard = new();
    private readonly string? abstains;
    private VoterState state;

    // Said to be protected by this vote: whoever is compared with what this member holds is compared with that, too.
    private Position declared;
    private TaskCompletionSource changed = NewSignal();

    /// <param name="verified">Newest version this member holds verified; default for one that holds no site.</param>
    public SiteVoter(SiteRules rules, string path, Func<Position> verified, TimeProvider time, ILogger log)
    {
        this.rules = rules;
        this.verified = verified;
        this.time = time;
        this.log = log;
        file = new(path);
        state = VoterState.Fresh(rules, Now);
        try
        {
            state = file.Load(rules, Now) ?? state;
        }
        catch (DamagedFileException damaged)
        {
            abstains = $"This voter abstains, for it does not know what it promised: {damaged.Message} Remove the file once all other voters of site {rules.Site} answer.";
            Log.Abstains(log, rules.Site, damaged.Message, damaged);
        }
    }

    /// <summary>What it remembers; null when it abstains.</summary>
    public VoterState? Ballot
    {
        get
        {
            lock (guard)
            {
                return abstains is null ? state : null;
            }
        }
    }

    /// <summary>Completes at the next grant or give-back (not at renewals, which only move a time).</summary>
    public Task Changed
    {
        get
        {
            lock (guard)
            {
                return changed.Task;
            }
        }
    }

    private TimeSpan Now => time.GetElapsedTime(0);

    /// <param name="probe">Only tell what the answer would be.</param>
    public GrantAnswer Ask(GrantAsk ask, bool probe)
    {
        // Asked outside the lock: it belongs to another room and may wait for it.
        var own = verified();
        lock (guard)
        {
            if (abstains is not null)
            {
                return new(false, 0, null, TimeSpan.Zero, abstains);
            }

            var step = Voter.Ask(state, rules, ask, own > declared ? own : declared, Now);
            if (probe || !step.Answer.Granted)
            {
                return step.Answer;
            }

            return Adopt_NeedsLock(step) is { } trouble ? new(false, state.Epoch, state.Holder, TimeSpan.Zero, trouble) : step.Answer;
        }
    }

    /// <summary>
    /// May others count on this vote to keep everybody out who lacks a version that is held here now? Not when a later epoch was granted before it was: that candidate
    /// was not compared with it. What was protected once stays so while it is held.
    /// </summary>
    public bool Protects(Position held)
    {
        lock (guard)
        {
            if (abstains is null && held > declared && Voter.Protects(state, held))
            {
                declared = held;
            }

            return held == declared;
        }
    }

    /// <summary>This member has just started, and nothing of its earlier life runs any more.</summary>
    public void Reborn(string self)
    {
        lock (guard)
        {
            var before = state;
            state = Voter.Reborn(state, self, Now);
            if (state != before)
            {
                Log.Reborn(log, rules.Site, state.Epoch);
            }
        }
    }

    public ReturnAnswer GiveBack(GiveBack back)
    {
        lock (guard)
        {
            if (abstains is not null)
            {
                return new(false, abstains);
            }

            var step = Voter.GiveBack(state, rules, back.Epoch, back.Holder, back.Successor, Now, back.How);
            if (Adopt_NeedsLock(step) is { } trouble)
            {
                return new(false, trouble);
            }

            if (back.How == Leaving.Died && step.MustPersist)
            {
                Log.LastWill(log, rules.Site, back.Holder, back.Epoch);
            }

            return step.Answer;
        }
    }

    /// <summary>What operators said last, as far as this voter was told; null when it abstains.</summary>
    public FailoverOrder? Order => Ballot?.Order;

    /// <param name="order">Null: only say what is known.</param>
    public OrderReply Answer(string name, FailoverOrder? order)
    {
        var answer = order is null ? new ReturnAnswer(true, "") : Hear(order);
        return new(name, answer.Accepted && abstains is null, Order, Ballot?.Epoch ?? 0, answer.Reason.Length > 0 ? answer.Reason : abstains ?? "");
    }

    public ReturnAnswer Hear(FailoverOrder order)
    {
        lock (guard)
        {
            if (abstains is not null)
            {
                return new(false, abstains);
            }

            var step = Voter.Hear(state, rules, order);
            if (Adopt_NeedsLock(step) is { } trouble)
            {
                return new(false, trouble);
            }

            if (step.MustPersist)
            {
                Log.Ordered(log, rules.Site, order.Paused ? "paused" : "resumed", order.By, order.Reason);
            }

            return step.Answer;
        }
    }

    private string? Adopt_NeedsLock<TAnswer>(VoterStep<TAnswer> step)
    {
        if (!step.MustPersist)
        {
            state = step.State;
            return null;
        }

        try
        {
            file.Save(step.State);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Log.VoteNotWritten(log, rules.Site, file.Path, failure);
            return $"This voter could not write its vote to {file.Path}: {failure.Message}";
        }

        state = step.State;
        if (state.Holder is { } holder)
        {
            Log.Voted(log, rules.Site, state.Epoch, holder, state.GivenBack, state.Successor);
        }

        var signal = changed;
        changed = NewSignal();
        signal.SetResult();
        return null;
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
