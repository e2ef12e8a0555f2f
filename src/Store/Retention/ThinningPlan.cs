using Mirror.Store.Versions;

namespace Mirror.Store.Retention;

/// <summary>Packs that become one: each leads on from where the one before ends, over versions that go.</summary>
internal sealed record PackRun(VersionId From, VersionId To, IReadOnlyList<PackRow> Packs);

/// <summary>
/// What becomes of the packs when versions go. Versions are points and packs are edges: a point is taken out by joining each edge that leads to it with each that leads
/// away from it, so every way that led over it is still there. What leads only to points that go, goes. A key frame of a version that goes becomes one of the next older.
/// </summary>
/// <param name="Stuck">Versions that no pack leads to, though packs lead on from them to what is kept: without these that could never be reached again.</param>
internal sealed record ThinningPlan(IReadOnlyList<PackRow> Removed, IReadOnlyList<PackRun> Runs, IReadOnlyList<VersionId> Stuck)
{
    public static ThinningPlan Make(IReadOnlyList<PackRow> packs, IReadOnlySet<VersionId> dropped)
    {
        var to = new Dictionary<VersionId, List<Edge>>();
        var from = new Dictionary<VersionId, List<Edge>>();
        var removed = packs.Where(row => dropped.Contains(row.From) || dropped.Contains(row.To)).ToList();
        var direct = packs.Except(removed).Select(row => (row.From, row.To)).ToHashSet();
        foreach (var row in removed)
        {
            Add(new Edge(row.From, row.To, row, null, null));
        }

        // In the order of the chain each join takes one more pack at its end; the tree of joins is flattened once, at the end.
        var stuck = new List<VersionId>();
        foreach (var point in dropped.OrderDescending())
        {
            var (ins, outs) = (to.GetValueOrDefault(point, []).ToList(), from.GetValueOrDefault(point, []).ToList());
            if (ins.Count == 0 && outs.Count > 0)
            {
                stuck.Add(point);
            }

            foreach (var edge in ins.Concat(outs))
            {
                Remove(edge);
            }

            foreach (var (one, other) in ins.SelectMany(one => outs.Select(other => (one, other))))
            {
                // A way round in a circle leads nowhere new; and where a pack leads there already, another is not needed.
                if (one.From != other.To && !direct.Contains((one.From, other.To)) && !from.GetValueOrDefault(one.From, []).Any(known => known.To == other.To))
                {
                    Add(new Edge(one.From, other.To, null, one, other));
                }
            }
        }

        var runs = from.Values.SelectMany(edges => edges).Where(edge => edge.Pack is null)
            .Select(edge => new PackRun(edge.From, edge.To, edge.Flatten()))
            .OrderByDescending(run => run.From.IsNone).ThenByDescending(run => run.From)
            .ToList();
        return new ThinningPlan(removed, runs, stuck);

        void Add(Edge edge)
        {
            ListOf(from, edge.From).Add(edge);
            ListOf(to, edge.To).Add(edge);
        }

        void Remove(Edge edge)
        {
            from[edge.From].Remove(edge);
            to[edge.To].Remove(edge);
        }
    }

    private static List<Edge> ListOf(Dictionary<VersionId, List<Edge>> edges, VersionId point)
    {
        if (!edges.TryGetValue(point, out var list))
        {
            edges.Add(point, list = []);
        }

        return list;
    }

    /// <summary>A pack, or two edges that meet.</summary>
    private sealed class Edge(VersionId from, VersionId to, PackRow? pack, Edge? first, Edge? second)
    {
        public VersionId From => from;

        public VersionId To => to;

        public PackRow? Pack => pack;

        public IReadOnlyList<PackRow> Flatten()
        {
            var rows = new List<PackRow>();
            var open = new Stack<Edge>([this]);
            while (open.TryPop(out var edge))
            {
                if (edge.Pack is { } row)
                {
                    rows.Add(row);
                }
                else
                {
                    open.Push(edge.Second!);
                    open.Push(edge.First!);
                }
            }

            return rows;
        }

        private Edge? First => first;

        private Edge? Second => second;
    }
}
