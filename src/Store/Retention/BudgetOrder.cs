using Mirror.Store.Versions;

namespace Mirror.Store.Retention;

/// <param name="Bytes">Of the pack that leads to it: about what its neighbours' share of the history cannot do without.</param>
/// <param name="Pinned">Never dropped for room.</param>
public readonly record struct WeighedVersion(VersionId Id, DateTimeOffset Received, long Bytes, bool Pinned);

/// <summary>
/// In what order versions make room: oldest and densest first. The one goes whose two neighbours are closest to each other, in proportion to its age; so what is left is spread
/// ever thinner into the past, and no stretch of it is emptied.
/// </summary>
public static class BudgetOrder
{
    private static readonly TimeSpan leastAge = TimeSpan.FromHours(1);

    /// <param name="versions">Oldest first; what is still kept. The newest is never among those that go.</param>
    /// <param name="excess">Bytes to be freed. What dropping one frees is known only afterwards: here it is taken to be all that two neighbouring packs can have in common.</param>
    public static IReadOnlyList<VersionId> Choose(IReadOnlyList<WeighedVersion> versions, long excess, DateTimeOffset now)
    {
        var left = versions.ToList();
        var gone = new List<VersionId>();
        while (excess > 0)
        {
            var best = -1;
            var bestScore = double.MaxValue;
            for (var at = 0; at < left.Count - 1; at++)
            {
                if (!left[at].Pinned && Score(left, at, now) is var score && score < bestScore)
                {
                    (best, bestScore) = (at, score);
                }
            }

            if (best < 0)
            {
                break;
            }

            // The pack to a version and the one from it on to the next older become one: at most the smaller of the two is saved. Nothing follows the oldest.
            excess -= Math.Max(1, best == 0 ? left[0].Bytes : Math.Min(left[best].Bytes, left[best - 1].Bytes));
            gone.Add(left[best].Id);
            if (best > 0)
            {
                left[best - 1] = left[best - 1] with { Bytes = Math.Max(left[best - 1].Bytes, left[best].Bytes) };
            }

            left.RemoveAt(best);
        }

        return gone;
    }

    private static double Score(List<WeighedVersion> versions, int at, DateTimeOffset now)
    {
        var (here, newer) = (versions[at].Received, versions[at + 1].Received);
        var gap = at == 0 ? (newer - here) * 2 : newer - versions[at - 1].Received;
        var age = now - here;
        return Math.Max(0, gap.TotalSeconds) / (age > leastAge ? age : leastAge).TotalSeconds;
    }
}
