using Mirror.Leadership.Core;
using Mirror.Store.Versions;

namespace Mirror.Primary;

// Where an arbiter decides who is primary, a version is consistent once the arbiter remembers it. It is told as soon as enough nodes hold one, and once for all versions before it.
public sealed partial class PrimaryRole
{
    private static readonly TimeSpan markAgain = TimeSpan.FromMilliseconds(200);

    private Task marking = Task.CompletedTask;

    /// <summary>The newest version that the arbiter is known to remember as consistent; default where votes decide.</summary>
    public Position Consistent => mark?.Current ?? default;

    /// <summary>
    /// The arbiter compares positions. A later one has all that an earlier one had only if it was reached by a reign that began with that; so no reign speaks for the versions of another, and begins with one of
    /// its own, whether anything has changed or not.
    /// </summary>
    private bool LacksOwnVersion => mark is not null && store.Head is { } head && head.Id.Epoch < Epoch;

    private bool IsMarked(VersionId version) => mark!.Current >= new Position(version.Epoch, version.Sequence);

    private void StartMarking()
    {
        if (mark is not null)
        {
            marking = Task.Run(MarkAsync, CancellationToken.None);
        }
    }

    private async Task MarkAsync()
    {
        try
        {
            while (true)
            {
                await UntilAsync(() => NewestOnEnough() > mark!.Current, leaving);
                if (await mark!.RaiseAsync(NewestOnEnough(), leaving))
                {
                    SignalChange();
                }
                else
                {
                    await Task.Delay(markAgain, time, leaving);
                }
            }
        }
        catch (OperationCanceledException) when (leaving.IsCancellationRequested)
        {
            // The role is being left.
        }
    }

    /// <summary>The newest version of this reign that most nodes hold, this one among them.</summary>
    private Position NewestOnEnough()
    {
        if (published is not { } head || head.Id.Epoch != Epoch)
        {
            return default;
        }

        var rules = new SiteRules(site.Name, site.Primary, site.Nodes, site.Voters, site.AutomaticFailover, TimeSpan.Zero) { HasArbiter = true };
        var others = Consistency.Needed(rules) - 1;
        var held = Others.Select(name => replicas.GetValueOrDefault(name)?.Verified ?? default).Where(version => version.Epoch == Epoch)
            .Select(static version => version.Sequence).OrderDescending().ToList();
        return held.Count < others ? default : new(Epoch, others == 0 ? head.Id.Sequence : Math.Min(head.Id.Sequence, held[others - 1]));
    }
}
