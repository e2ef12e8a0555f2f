using Mirror.Primary.Watch;
using Mirror.Store.Manifests;

namespace Mirror.Primary.Capture;

/// <summary>
/// What the hooks of a site change in its own tree is part of versions like all else. It must not call for a capture each time: that one's hooks would change it again, for ever. Nobody is told who changed a file, but it
/// is known when. What changes while <c>before</c> runs is looked at by the capture that follows at once. What changes while <c>after</c> runs calls for one more capture, and no more: paths that changed during the last
/// one too call for none, and neither does, when this capture was called for by nothing else, what lies beside or below them. These wait for the next capture, whatever calls for it, and
/// at the longest for the next look at everything.
/// </summary>
/// <param name="report">Told once of a path that waits.</param>
internal sealed class HookTouches(TouchLedger ledger, Action<EntryPath> report)
{
    private TouchedPaths during = TouchedPaths.Nothing;
    private TouchedPaths last = TouchedPaths.Nothing;
    private HashSet<EntryPath> places = [];
    private bool reported;

    public void Begin() => ledger.BeginHook();

    /// <summary><c>before</c> has ended.</summary>
    /// <param name="frozen">What is looked at now is a snapshot, made at some time in between: it may lack what was touched.</param>
    public void EndBefore(TouchClaim claim, bool frozen)
    {
        during = ledger.EndHook();
        claim.Add(during);
        if (!frozen)
        {
            during = TouchedPaths.Nothing;
        }
    }

    /// <summary><c>after</c> has ended.</summary>
    public void EndAfter(TouchClaim claim)
    {
        during = during.And(ledger.EndHook());
        var waits = during.Everything
            ? last.Everything || claim.IsEcho
            : last.Everything || during.Paths.Concat(during.Subtrees).All(path => last.Paths.Contains(path) || (claim.IsEcho && IsBeside(path)));
        if (during.IsEmpty)
        {
            return;
        }

        ledger.Put(during, waits ? TouchReason.None : TouchReason.Hooks);
        if (waits && !reported)
        {
            reported = true;
            report(during.Paths.Order().FirstOrDefault());
        }

        last = during;
        places = [.. during.Paths.Select(static path => path.Parent)];
        during = TouchedPaths.Nothing;
    }

    // In a directory where they changed something, or below one; but the root alone makes not everything theirs.
    private bool IsBeside(EntryPath path)
    {
        if (path.IsRoot || places.Contains(path.Parent))
        {
            return true;
        }

        for (var above = path.Parent; !above.IsRoot; above = above.Parent)
        {
            if (places.Contains(above))
            {
                return true;
            }
        }

        return false;
    }
}
