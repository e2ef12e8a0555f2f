using CsCheck;
using Mirror.Store.Retention;
using Mirror.Store.Versions;

namespace Mirror.Store.Tests.Retention;

public sealed class ThinningPlanTests
{
    [Fact]
    public void A_run_of_dropped_versions_becomes_one_pack_and_the_oldest_just_go()
    {
        var plan = ThinningPlan.Make(Chain(6), Set(1, 3, 4));
        Assert.Equal(["6-5", "5-2"], Ends(Chain(6), plan));
        var run = Assert.Single(plan.Runs);
        Assert.Equal(["5-4", "4-3", "3-2"], run.Packs.Select(row => row.File));
        Assert.Empty(plan.Stuck);
    }

    [Fact]
    public void A_key_frame_of_a_dropped_version_goes_on_to_the_next_older()
    {
        var packs = Chain(4).Append(Pack(0, 3)).ToList();
        Assert.Equal(["2-1", "4-2", "0-2"], Ends(packs, ThinningPlan.Make(packs, Set(3))));

        // Where one is already, another is of no use.
        packs.Add(Pack(0, 2));
        Assert.Equal(["2-1", "0-2", "4-2"], Ends(packs, ThinningPlan.Make(packs, Set(3))));
    }

    [Fact]
    public void A_branch_keeps_its_way_when_the_version_it_left_from_goes()
    {
        var packs = Chain(4).Append(Pack(2, 9)).ToList();
        Assert.Equal(["4-3", "3-1", "3-9"], Ends(packs, ThinningPlan.Make(packs, Set(2))));
    }

    [Fact]
    public void A_version_that_nothing_leads_to_is_not_dropped_while_others_lead_on_from_it()
    {
        var plan = ThinningPlan.Make([Pack(5, 4), Pack(3, 2), Pack(2, 1)], Set(3));
        Assert.Equal([Id(3)], plan.Stuck);
    }

    [Fact]
    public void A_long_run_is_flattened_in_order()
    {
        var run = Assert.Single(ThinningPlan.Make(Chain(20_000), Enumerable.Range(2, 19_998).Select(at => Id(at)).ToHashSet()).Runs);
        Assert.Equal((Id(20_000), Id(1)), (run.From, run.To));
        Assert.Equal(Chain(20_000).Select(row => row.File), run.Packs.Select(row => row.File));
    }

    [Fact]
    public void Whatever_was_reachable_and_is_kept_stays_reachable_from_the_same_points() => Gen.Select(Gen.Int[0, 12].Array[2].Array[0, 30], Gen.Int[1, 12].Array[0, 8]).Sample((edges, drops) =>
    {
        var packs = edges.Where(edge => edge[0] != edge[1] && edge[1] != 0).Select(edge => Pack(edge[0], edge[1])).DistinctBy(row => row.File).ToList();
        var dropped = Set(drops);
        var plan = ThinningPlan.Make(packs, dropped);
        dropped.ExceptWith(plan.Stuck);
        plan = ThinningPlan.Make(packs, dropped);
        var after = packs.Except(plan.Removed).Concat(plan.Runs.Select(run => new PackRow(run.From, run.To, "", false, 0))).ToList();
        Assert.DoesNotContain(after, row => dropped.Contains(row.From) || dropped.Contains(row.To));
        foreach (var from in Enumerable.Range(0, 13).Select(Id).Where(id => !dropped.Contains(id)))
        {
            var kept = Reach(packs, from);
            kept.ExceptWith(dropped);
            Assert.Equal(kept.Order(), Reach(after, from).Order());
        }

        Assert.All(plan.Runs, run => Assert.All(run.Packs.Zip(run.Packs.Skip(1)), pair => Assert.Equal(pair.First.To, pair.Second.From)));
    });

    private static HashSet<VersionId> Reach(IReadOnlyCollection<PackRow> packs, VersionId from)
    {
        var seen = new HashSet<VersionId> { from };
        while (packs.FirstOrDefault(row => seen.Contains(row.From) && !seen.Contains(row.To)) is { } next)
        {
            seen.Add(next.To);
        }

        return seen;
    }

    private static List<string> Ends(IReadOnlyList<PackRow> packs, ThinningPlan plan) =>
        [.. packs.Except(plan.Removed).Select(row => row.File), .. plan.Runs.OrderBy(run => run.From.IsNone).Select(run => $"{run.From.Sequence}-{run.To.Sequence}")];

    private static List<PackRow> Chain(int newest) => [.. Enumerable.Range(1, newest - 1).Select(older => Pack(newest - older + 1, newest - older))];

    private static PackRow Pack(int from, int to) => new(Id(from), Id(to), $"{from}-{to}", false, 100);

    private static VersionId Id(int sequence) => sequence == 0 ? default : new VersionId(1, (ulong)sequence);

    private static HashSet<VersionId> Set(params int[] sequences) => [.. sequences.Select(Id)];
}
