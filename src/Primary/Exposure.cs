using Mirror.Store.Versions;

namespace Mirror.Primary;

/// <summary>What would be lost if the primary died now and nobody could read its disk any more.</summary>
/// <param name="Since">All that was written before is safe; what was written later may not be. Null: nothing is known to have been written since.</param>
/// <param name="Versions">Captured, and not safe yet.</param>
/// <param name="Bytes">Of their packs.</param>
public sealed record AtRisk(DateTimeOffset? Since, int Versions, long Bytes);

/// <summary>
/// Of each capture, from when on it may lack what was written: when its version is safe, so is all that was written before. A capture that finds nothing new says the same of the version that was there.
/// </summary>
internal sealed class Exposure(DateTimeOffset entered)
{
    // Where nobody takes versions for weeks, the newest ones are counted as one.
    private const int most = 4096;

    private readonly Lock gate = new();
    private readonly LinkedList<Capture> open = new();
    private DateTimeOffset safe = entered;

    /// <param name="began">Before the first look at the tree.</param>
    /// <param name="bytes">Of the pack; null when nothing was new.</param>
    public void Captured(VersionId newest, DateTimeOffset began, long? bytes)
    {
        lock (gate)
        {
            if (open.Last is { Value: var last } && (last.Version == newest || open.Count == most))
            {
                open.RemoveLast();
                open.AddLast(new Capture(newest, began, last.Versions + (bytes is null ? 0 : 1), last.Bytes + (bytes ?? 0)));
            }
            else
            {
                open.AddLast(new Capture(newest, began, bytes is null ? 0 : 1, bytes ?? 0));
            }
        }
    }

    /// <param name="isSafe">Whether a version outlives the primary.</param>
    /// <param name="mayHaveMore">Something was touched since the last capture, or nobody would know.</param>
    public AtRisk Look(Func<VersionId, bool> isSafe, bool mayHaveMore)
    {
        lock (gate)
        {
            while (open.First is { Value: var first } && isSafe(first.Version))
            {
                safe = first.Began;
                open.RemoveFirst();
            }

            var versions = open.Sum(static capture => capture.Versions);
            return new AtRisk(versions > 0 || mayHaveMore ? safe : null, versions, open.Sum(static capture => capture.Bytes));
        }
    }

    private readonly record struct Capture(VersionId Version, DateTimeOffset Began, int Versions, long Bytes);
}
