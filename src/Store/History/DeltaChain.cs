using Mirror.Delta;

namespace Mirror.Store.History;

/// <summary>
/// A row of deltas, each from what the one before yields, as one: so that a content many versions back is made in one pass over its basis, and none of those between is
/// built. Neighbours of about the same length are composed, like the runs of a merge sort: a delta takes part in as many compositions as the row has doublings, not in
/// as many as it has deltas.
/// </summary>
/// <param name="newScratch">A place for a delta of a content with so many bytes.</param>
/// <param name="mostOperations">Of a delta, to be composed with the next: that many are held in memory.</param>
internal sealed class DeltaChain(Func<long, Stream> newScratch, int mostOperations = DeltaChain.MostOperations) : IDisposable
{
    /// <summary>32 MiB of map while two are composed. Where the older one is cut finer, the content between is built after all.</summary>
    public const int MostOperations = 1 << 21;

    private readonly List<Link> links = [];

    /// <param name="Level">How many compositions deep; a link that takes too much memory to be composed again has the highest.</param>
    private readonly record struct Link(Stream Delta, long Yields, int Level);

    /// <summary>The next delta of the row; it is disposed with the chain, or as soon as it is not needed.</summary>
    /// <param name="yields">Length of its target.</param>
    /// <exception cref="DeltaFormatException"/>
    public void Add(Stream delta, long yields, CancellationToken cancellation)
    {
        var link = new Link(delta, yields, Level: 0);
        while (links.Count > 0 && links[^1].Level <= link.Level)
        {
            var last = links[^1];
            if (Joined(last, link, cancellation) is not { } joined)
            {
                links[^1] = last with { Level = int.MaxValue };
                break;
            }

            links.RemoveAt(links.Count - 1);
            link = joined;
        }

        links.Add(link);
    }

    /// <summary>What is to be applied in turn: nearly always one delta. They stay the chain's.</summary>
    /// <exception cref="DeltaFormatException"/>
    public IReadOnlyList<(Stream Delta, long Yields)> Finish(CancellationToken cancellation)
    {
        for (var at = links.Count - 2; at >= 0; at--)
        {
            if (Joined(links[at], links[at + 1], cancellation) is { } joined)
            {
                links[at] = joined;
                links.RemoveAt(at + 1);
            }
        }

        return [.. links.Select(link => (link.Delta, link.Yields))];
    }

    public void Dispose()
    {
        foreach (var link in links)
        {
            link.Delta.Dispose();
        }

        links.Clear();
    }

    private Link? Joined(Link first, Link second, CancellationToken cancellation)
    {
        var composed = newScratch(second.Yields);
        try
        {
            first.Delta.Position = 0;
            second.Delta.Position = 0;
            if (!FileDelta.TryCompose(first.Delta, second.Delta, composed, second.Yields, mostOperations, cancellation))
            {
                composed.Dispose();
                return null;
            }
        }
        catch
        {
            composed.Dispose();
            second.Delta.Dispose();
            throw;
        }

        first.Delta.Dispose();
        second.Delta.Dispose();
        composed.Position = 0;
        var deepest = Math.Max(first.Level, second.Level);
        return new Link(composed, second.Yields, deepest == int.MaxValue ? deepest : deepest + 1);
    }
}
