using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Apps;
using Mirror.Node.Processes;
using Mirror.Node.Wire;
using Mirror.Store.Versions;

namespace Mirror.Cli.Hosting;

/// <summary>What this node tells the cluster of one site: kept here in one place, and published whole at every change.</summary>
internal sealed class SiteStatus(VersionStore store, string node, ICatalogue catalogue, IEpochGate epochs, GuardClient guard, Func<Position, bool> protects, Func<HeldBack?> heldBack,
    DecisionLog decisions)
{
    private readonly Lock gate = new();
    private bool isSpread;
    private SiteHolding last = new(store.Site, node, SiteRole.Joining, 0, default, default, default, null, null, "starting", []);

    public SiteHolding Current
    {
        get
        {
            lock (gate)
            {
                return last;
            }
        }
    }

    /// <summary>What this node, as primary, had an arbiter remember as consistent. Published with the next change; and still true when another reigns, which has it too.</summary>
    public Position Consistent { get; set; }

    public Task PublishAsync(
        SiteRole role, ulong? epoch, VersionId stored, VersionRecord? verified, VersionId warm, AppSet? apps, string sentence, CancellationToken cancellation)
    {
        SiteHolding now;
        Task spreading;
        bool isNew;
        lock (gate)
        {
            var before = last;
            now = last = new SiteHolding(
                store.Site, node, role, epoch ?? epochs.Highest(store.Site), PositionOf(stored), PositionOf(verified?.Id ?? default), PositionOf(warm),
                apps?.Address, verified?.Time, sentence, [Environment.ProcessId, guard.ProcessId, .. apps?.ProcessIds ?? []])
            {
                Base = BaseOf(verified),
                IsProtected = IsProtected(verified?.Id ?? default),
                Consistent = Consistent,
                HeldBack = heldBack(),
            };
            isNew = (now.Role, now.Epoch) != (before.Role, before.Epoch);
            spreading = Spread_NeedsLock(cancellation);
        }

        if (isNew)
        {
            decisions.Write(RoleOf(now), now.Epoch, sentence);
        }

        return spreading;
    }

    /// <summary>Whether others may count on this node's vote for a version that it holds.</summary>
    public bool IsProtected(VersionId held) => protects(PositionOf(held));

    /// <summary>The same state, said again: what this node's vote knows has changed.</summary>
    public Task SayAgainAsync(CancellationToken cancellation)
    {
        lock (gate)
        {
            last = last with { HeldBack = heldBack() };
            return Spread_NeedsLock(cancellation);
        }
    }

    /// <summary>The same state, with another last decision. Nobody waits for it to be spread.</summary>
    public void Say(string sentence)
    {
        lock (gate)
        {
            last = last with { Sentence = sentence, HeldBack = heldBack() };
            if (isSpread)
            {
                _ = Spread_NeedsLock(CancellationToken.None);
            }
        }

        decisions.Write(RoleOf(Current), Current.Epoch, sentence);
    }

    // In the order in which it became so: an older state must not replace a newer one.
    private Task Spread_NeedsLock(CancellationToken cancellation)
    {
        isSpread = true;
        return catalogue.PublishAsync(last, cancellation);
    }

    /// <summary>What a person wanted: for the history alone.</summary>
    public void Note(string sentence) => decisions.Write(RoleOf(Current), Current.Epoch, sentence, byPerson: true);

    /// <summary>What was decided here so far, oldest first.</summary>
    public IReadOnlyList<DecisionLine> History(int most) => decisions.Read(node, most);

    private static string RoleOf(SiteHolding holding) => holding.Role.ToString().ToLowerInvariant();

    // The version this one's epoch grew from, where this node knows it: by that, holders of a new epoch count for the one before.
    private Position BaseOf(VersionRecord? verified) => verified is null
        ? default
        : PositionOf(store.Versions.FirstOrDefault(kept => kept.Record.Id == new VersionId(verified.Id.Epoch, 1))?.Record.Parent ?? default);

    public static Position PositionOf(VersionId id) => new(id.Epoch, id.Sequence);
}
