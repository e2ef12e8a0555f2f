using CsCheck;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Tests.Packs;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Laws;

/// <summary>The laws of packs, over lives of whole trees. <see cref="PackAlgebraTests"/> has the plain cases and the refusals.</summary>
public sealed class PackLawsTests : IDisposable
{
    // MIRROR_LONG=1 gives every law fifty times the trees.
    private static readonly int Longer = Environment.GetEnvironmentVariable("MIRROR_LONG") == "1" ? 50 : 1;

    private readonly PackSamples samples = new();

    public void Dispose() => samples.Dispose();

    [Fact]
    public Task A_pack_says_and_does_exactly_what_lies_between_two_trees() => Over(2, 100, async (v, choice) =>
    {
        await v[1].AssertIsAppliedAsync(v[0], await v[1].PackFromAsync(v[0], samples, choice));
        await v[1].AssertIsAppliedAsync(null, await v[1].PackFromAsync(null, samples, choice));
    });

    [Fact]
    public Task The_reverse_of_a_pack_leads_back_and_its_reverse_forward_again() => Over(2, 100, async (v, choice) =>
    {
        var reverse = await v[0].InvertAsync(await v[1].PackFromAsync(v[0], samples, choice), v[1], samples);
        await v[0].AssertIsAppliedAsync(v[1], reverse);
        await v[1].AssertIsAppliedAsync(v[0], await v[1].InvertAsync(reverse, v[0], samples));
    });

    [Fact]
    public Task However_a_chain_of_packs_is_bracketed_it_leads_to_the_same_tree() => Over(5, 40, async (v, choice) =>
    {
        var links = new List<(int From, string Pack)>();
        for (var at = 1; at < v.Length; at++)
        {
            links.Add((at - 1, await v[at].PackFromAsync(v[at - 1], samples, choice + (uint)at)));
        }

        var left = links.Skip(1).Aggregate(Task.FromResult(links[0].Pack), async (sum, next) => await v[0].ComposeAsync(await sum, next.Pack, samples));
        await v[^1].AssertIsAppliedAsync(v[0], await left);
        var contents = HashesOf(await left);

        // Any two neighbours are joined until one pack is left.
        while (links.Count > 1)
        {
            var at = (int)(choice % (uint)(links.Count - 1));
            choice = (choice * 747_796_405) + 1;
            links[at] = (links[at].From, await v[links[at].From].ComposeAsync(links[at].Pack, links[at + 1].Pack, samples));
            links.RemoveAt(at + 1);
        }

        await v[^1].AssertIsAppliedAsync(v[0], links[0].Pack);
        Assert.Equal(contents, HashesOf(links[0].Pack));
    });

    [Fact]
    public Task A_chain_that_starts_from_nothing_composes_to_the_last_key_frame() => Over(3, 40, async (v, choice) =>
    {
        var key = await v[0].PackFromAsync(null, samples, choice);
        var ab = await v[1].PackFromAsync(v[0], samples, choice);
        var bc = await v[2].PackFromAsync(v[1], samples, choice);
        var later = await LawSite.ComposeAsync(Manifest.Empty, await LawSite.ComposeAsync(Manifest.Empty, key, ab, samples), bc, samples);
        await v[2].AssertIsAppliedAsync(null, later);
        await v[2].AssertIsAppliedAsync(null, await LawSite.ComposeAsync(Manifest.Empty, key, await v[0].ComposeAsync(ab, bc, samples), samples));
    });

    [Fact]
    public Task The_reverse_of_a_composition_is_the_composition_of_the_reverses() => Over(3, 60, async (v, choice) =>
    {
        var ab = await v[1].PackFromAsync(v[0], samples, choice);
        var bc = await v[2].PackFromAsync(v[1], samples, choice / 5);

        var inverted = await v[0].InvertAsync(await v[0].ComposeAsync(ab, bc, samples), v[2], samples);
        var composed = await v[2].ComposeAsync(await v[1].InvertAsync(bc, v[2], samples), await v[0].InvertAsync(ab, v[1], samples), samples);

        await v[0].AssertIsAppliedAsync(v[2], inverted);
        await v[0].AssertIsAppliedAsync(v[2], composed);
        Assert.Equal(HashesOf(inverted), HashesOf(composed));
    });

    [Fact]
    public Task Going_away_and_coming_back_composes_to_a_pack_that_brings_nothing() => LivesOf(2).SampleAsync(
        async life =>
        {
            // The third version is the first once more.
            var (trees, choice) = life;
            LawSite[] v = [new(trees[0], 1), new(trees[1], 2), new(trees[0], 3)];
            var there = await v[1].PackFromAsync(v[0], samples, choice);
            var back = await v[2].PackFromAsync(v[1], samples, choice / 3);

            var nothing = await v[0].ComposeAsync(there, back, samples);

            await v[2].AssertIsAppliedAsync(v[0], nothing);
            using (var reader = PackReader.Open(nothing))
            {
                Assert.Empty(reader.Blobs);
                Assert.True(reader.ReadChanges().IsEmpty);
            }

            await v[0].AssertIsAppliedAsync(v[2], await v[0].InvertAsync(nothing, v[2], samples));
            Clear();
        },
        iter: 40 * Longer, threads: 1);

    [Fact]
    public Task A_pack_and_its_reverse_do_not_compose_to_a_pack_from_a_version_to_itself() => Over(2, 15, async (v, choice) =>
    {
        var forward = await v[1].PackFromAsync(v[0], samples, choice);
        var reverse = await v[0].InvertAsync(forward, v[1], samples);
        await Assert.ThrowsAsync<ArgumentException>(() => v[0].ComposeAsync(forward, reverse, samples));
    });

    private Task Over(int versions, int cases, Func<LawSite[], uint, Task> law) => LivesOf(versions).SampleAsync(
        async life =>
        {
            await law([.. life.Trees.Select((tree, at) => new LawSite(tree, (ulong)at + 1))], life.Choice);
            Clear();
        },
        iter: cases * Longer, threads: 1);

    private static Gen<(TreeLiteral[] Trees, uint Choice)> LivesOf(int versions) => Gen.Select(LawStep.Lives(versions), Gen.UInt);

    private void Clear() => samples.Clear();

    private static HashSet<ContentHash> HashesOf(string pack)
    {
        using var reader = PackReader.Open(pack);
        return [.. reader.Blobs.Select(blob => blob.Hash)];
    }
}
