using Mirror.Store.Retention;
using Mirror.Store.Versions;

namespace Mirror.Store.Tests.Retention;

public sealed class BudgetOrderTests
{
    private static readonly DateTimeOffset start = new(2024, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Nothing_goes_while_there_is_room() => Assert.Empty(BudgetOrder.Choose(Daily(20), 0, start.AddDays(20)));

    [Fact]
    public void What_is_pinned_and_the_newest_never_go()
    {
        var versions = Daily(20).Select((version, at) => version with { Pinned = at % 3 == 0 }).ToList();
        var gone = BudgetOrder.Choose(versions, long.MaxValue, start.AddDays(20));
        Assert.Equal(versions.Where(version => !version.Pinned).SkipLast(versions[^1].Pinned ? 0 : 1).Select(version => version.Id).Order(), gone.Order());
    }

    [Fact]
    public void The_past_gets_thinner_the_further_back_and_no_stretch_of_it_is_emptied()
    {
        var versions = Daily(256);
        var gone = BudgetOrder.Choose(versions, 1_000 * 200, start.AddDays(256)).ToHashSet();
        Assert.Equal(200, gone.Count);
        var left = versions.Where(version => !gone.Contains(version.Id)).Select(version => (int)version.Id.Sequence).ToList();
        var gaps = left.Zip(left.Skip(1), (older, newer) => newer - older).ToList();

        // Each gap is at most a good third of its age.
        Assert.All(left.Zip(gaps), pair => Assert.True(pair.Second <= 2 + ((257 - pair.First) * 0.4), $"a gap of {pair.Second} after day {pair.First}"));
        Assert.True(gaps[^1] <= 2);
    }

    [Fact]
    public void No_more_go_than_the_estimate_asks_for()
    {
        var gone = BudgetOrder.Choose(Daily(20), 2_500, start.AddDays(20));
        Assert.Equal(3, gone.Count);
    }

    private static List<WeighedVersion> Daily(int count) =>
        [.. Enumerable.Range(1, count).Select(day => new WeighedVersion(new VersionId(1, (ulong)day), start.AddDays(day), 1_000, false))];
}
