using CsCheck;
using Mirror.Primary.Watch;
using Mirror.Store.Manifests;

namespace Mirror.Primary.Tests.Watch;

public sealed class TouchCollectorTests
{
    private static readonly Gen<EntryPath> paths =
        Gen.Char['a', 'd'].Array[1, 4].Select(static names => EntryPath.Parse(string.Join('/', names)));

    [Fact]
    public void Whatever_was_touched_is_told_whatever_becomes_of_it() => Gen.Select(Gen.Select(paths, Gen.Bool).Array[0, 60], Gen.Int[4, 40]).Sample((touches, most) =>
    {
        var collector = new TouchCollector(most);
        foreach (var (path, whole) in touches)
        {
            if (whole)
            {
                collector.Subtree(path);
            }
            else
            {
                collector.Path(path);
            }
        }

        var taken = collector.Take();
        Assert.True(taken.Paths.Count + taken.Subtrees.Count <= most);
        Assert.True(taken.Everything || touches.All(touch => IsTold(taken, touch.Item1)
            && (!touch.Item2 || taken.Subtrees.Any(touch.Item1.IsWithin))));
        Assert.True(collector.Take().IsEmpty);
    }, iter: 20_000);

    [Fact]
    public void A_crowded_directory_becomes_one_word_and_others_stay_as_they_are()
    {
        var collector = new TouchCollector(1000);
        collector.Path(EntryPath.Parse("alone"));
        for (var file = 0; file < 5000; file++)
        {
            collector.Path(EntryPath.Parse($"crowded/{file}"));
        }

        var taken = collector.Take();
        Assert.False(taken.Everything);
        Assert.Equal([EntryPath.Parse("crowded")], taken.Subtrees);
        Assert.Equal([EntryPath.Parse("alone"), EntryPath.Parse("crowded")], taken.Paths.Where(static path => !path.IsWithin(EntryPath.Parse("crowded")) || path.Name.SequenceEqual("crowded"u8)).Order());
    }

    [Fact]
    public void Too_many_touches_everywhere_are_everything()
    {
        var collector = new TouchCollector(1000);
        for (var file = 0; file < 5000; file++)
        {
            collector.Path(EntryPath.Parse($"{file}/file"));
        }

        Assert.True(collector.Take().Everything);
    }

    [Fact]
    public void What_was_taken_in_vain_can_be_given_back()
    {
        var collector = new TouchCollector();
        collector.Path(EntryPath.Parse("a"));
        collector.Subtree(EntryPath.Parse("b"));
        var taken = collector.Take();
        collector.Path(EntryPath.Parse("c"));
        collector.Add(taken);
        var again = collector.Take();
        Assert.Equal([EntryPath.Parse("b")], again.Subtrees);
        Assert.True(again.Paths.IsSupersetOf([EntryPath.Parse("a"), EntryPath.Parse("c")]));
        collector.Add(TouchedPaths.All);
        collector.Path(EntryPath.Parse("c"));
        Assert.True(collector.Take().Everything);
    }

    [Fact]
    public async Task Who_waits_is_told_once()
    {
        var collector = new TouchCollector();
        var waiting = collector.TouchedAsync(CancellationToken.None);
        Assert.False(waiting.IsCompleted);
        collector.Path(EntryPath.Parse("a"));
        await waiting.WaitAsync(WatchKinds.Patience);
        Assert.True(collector.TouchedAsync(CancellationToken.None).IsCompleted);
        collector.Take();
        Assert.False(collector.TouchedAsync(CancellationToken.None).IsCompleted);
    }

    [Fact]
    public async Task A_fault_reaches_who_waits_and_who_waits_later()
    {
        var collector = new TouchCollector();
        var waiting = collector.TouchedAsync(CancellationToken.None);
        collector.Fail(new InvalidOperationException("a bug"));
        await Assert.ThrowsAsync<InvalidOperationException>(() => waiting);
        collector.Take();
        await Assert.ThrowsAsync<InvalidOperationException>(() => collector.TouchedAsync(CancellationToken.None));
    }

    private static bool IsTold(TouchedPaths taken, EntryPath path) => taken.Paths.Contains(path) || taken.Subtrees.Any(path.IsWithin);
}
