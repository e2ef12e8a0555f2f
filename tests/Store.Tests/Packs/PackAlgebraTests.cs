using CsCheck;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Store.Tests.Packs;

public sealed class PackAlgebraTests : IDisposable
{
    private readonly PackSamples samples = new();

    public void Dispose() => samples.Dispose();

    [Fact]
    public Task Applying_a_pack_and_then_its_reverse_changes_nothing() => SmallSite.Histories(2).SampleAsync(
        async history =>
        {
            var (a, b) = (history[0], history[1]);
            var forward = await b.PackFromAsync(a, samples);
            await b.AssertIsAsync(a, forward);

            var reverse = await InvertAsync(forward, a, b);
            await a.AssertIsAsync(b, reverse);

            // And the reverse of the reverse leads forward again.
            await b.AssertIsAsync(a, await InvertAsync(reverse, b, a));
        },
        iter: 150, threads: 1);

    [Fact]
    public Task Composing_is_associative_and_equals_applying_in_turn() => SmallSite.Histories(4).SampleAsync(
        async history =>
        {
            var (a, b, c, d) = (history[0], history[1], history[2], history[3]);
            var ab = await b.PackFromAsync(a, samples);
            var bc = await c.PackFromAsync(b, samples);
            var cd = await d.PackFromAsync(c, samples);

            var ac = await ComposeAsync(ab, bc, a.Manifest);
            await c.AssertIsAsync(a, ac);
            var left = await ComposeAsync(ac, cd, a.Manifest);
            var right = await ComposeAsync(ab, await ComposeAsync(bc, cd, b.Manifest), a.Manifest);
            await d.AssertIsAsync(a, left);
            await d.AssertIsAsync(a, right);

            using var one = PackReader.Open(left);
            using var other = PackReader.Open(right);
            Assert.Equal(one.Header, other.Header);
            Assert.Equal(one.Blobs.Select(blob => blob.Hash).ToHashSet(), other.Blobs.Select(blob => blob.Hash).ToHashSet());
        },
        iter: 100, threads: 1);

    [Fact]
    public Task Inverting_a_composition_equals_composing_the_inverses() => SmallSite.Histories(3).SampleAsync(
        async history =>
        {
            var (a, b, c) = (history[0], history[1], history[2]);
            var ab = await b.PackFromAsync(a, samples);
            var bc = await c.PackFromAsync(b, samples);

            var inverted = await InvertAsync(await ComposeAsync(ab, bc, a.Manifest), a, c);
            var composed = await ComposeAsync(await InvertAsync(bc, b, c), await InvertAsync(ab, a, b), c.Manifest);

            await a.AssertIsAsync(c, inverted);
            await a.AssertIsAsync(c, composed);
        },
        iter: 100, threads: 1);

    [Fact]
    public Task A_key_frame_composed_with_a_diff_is_the_later_key_frame() => SmallSite.Histories(2).SampleAsync(
        async history =>
        {
            var (a, b) = (history[0], history[1]);
            var key = await a.PackFromAsync(null, samples);
            await a.AssertIsAsync(null, key);
            await b.AssertIsAsync(null, await ComposeAsync(key, await b.PackFromAsync(a, samples), Manifest.Empty));
        },
        iter: 100, threads: 1);

    [Fact]
    public Task The_reverse_of_a_fill_leads_back_to_the_tree_it_was_laid_over() => SmallSite.Histories(2).SampleAsync(
        async history =>
        {
            var (a, b) = (history[0], history[1]);
            await a.AssertIsAsync(b, await InvertAsync(await b.PackFromAsync(null, samples), a, b));
        },
        iter: 50, threads: 1);

    [Fact]
    public async Task A_small_change_in_a_large_file_stays_small_whichever_way_it_is_turned()
    {
        var content = PackSamples.Noise(1 << 20, 1);
        var a = SmallSite.Of(1, ("large", content));
        content = [.. content[..300_000], 1, 2, 3, .. content[300_000..]];
        var b = SmallSite.Of(2, ("large", content));
        content = [.. content[..700_000], .. content[700_100..]];
        var c = SmallSite.Of(3, ("large", content));
        var (ab, bc) = (await b.PackFromAsync(a, samples), await c.PackFromAsync(b, samples));

        string[] packs =
        [
            ab, bc, await ComposeAsync(ab, bc, a.Manifest), await InvertAsync(ab, a, b),

            // Without the forward delta, from what is at the same path.
            await InvertAsync(await b.PackFromAsync(null, samples), a, b),
        ];

        Assert.All(packs, pack => Assert.InRange(new FileInfo(pack).Length, 1, 20_000));
    }

    [Fact]
    public async Task Small_files_that_were_edited_are_deltas_in_the_reverse_though_the_pack_itself_has_them_whole()
    {
        var contents = Enumerable.Range(0, 200).Select(seed => PackSamples.Noise(300 + (17 * seed), seed)).ToList();
        var a = SmallSite.Of(1, [.. contents.Select((content, at) => ($"page-{at}", content))]);
        var b = SmallSite.Of(2, [.. contents.Select((content, at) => ($"page-{at}", (byte[])[.. content[..150], (byte)at, .. content[160..]]))]);

        // A fill has every content whole.
        var reverse = await InvertAsync(await b.PackFromAsync(null, samples), a, b);

        await a.AssertIsAsync(b, reverse);
        using var pack = PackReader.Open(reverse);
        Assert.Equal(200, pack.Blobs.Count);
        Assert.All(pack.Blobs, blob => Assert.False(blob.Basis.IsNone));
        Assert.All(pack.Blobs, blob => Assert.InRange(blob.StoredBytes, 1, 40));
    }

    [Fact]
    public async Task A_small_file_that_has_nothing_in_common_with_its_successor_is_whole_in_the_reverse()
    {
        var a = SmallSite.Of(1, ("tiny", [1, 2, 3]), ("other", PackSamples.Noise(5_000, 1)), ("gone", PackSamples.Noise(700, 2)), ("grown", PackSamples.Noise(400, 3)));
        var b = SmallSite.Of(2, ("tiny", [1, 2, 4]), ("other", PackSamples.Noise(5_000, 4)), ("grown", PackSamples.Noise(300_000, 3)));

        var reverse = await InvertAsync(await b.PackFromAsync(null, samples), a, b);

        await a.AssertIsAsync(b, reverse);
        using var pack = PackReader.Open(reverse);
        Assert.All(((string[])["tiny", "other", "gone"]).Select(name => a.Manifest.Find(EntryPath.Parse(name))!), entry => Assert.True(pack.Find(entry.Hash)!.Basis.IsNone));
    }

    [Fact]
    public async Task A_small_file_that_was_damaged_is_not_written_into_history()
    {
        var a = SmallSite.Of(1, ("file", PackSamples.Noise(900, 1)));
        var b = SmallSite.Of(2, ("file", [0, .. PackSamples.Noise(900, 1)]));
        using var forward = PackReader.Open(await b.PackFromAsync(null, samples));

        foreach (var damaged in (byte[][])[PackSamples.Noise(899, 1), PackSamples.Noise(902, 1), PackSamples.Noise(900, 2)])
        {
            await Assert.ThrowsAsync<StoreException>(() => PackAlgebra.InvertAsync(
                forward, a.Version, a.Manifest, b.Manifest, _ => new MemoryStream(damaged), b.Open, SmallSite.Key, new MemoryStream(), CancellationToken.None));
            await Assert.ThrowsAsync<StoreException>(() => PackAlgebra.InvertAsync(
                forward, a.Version, a.Manifest, b.Manifest, a.Open, _ => new MemoryStream(damaged), SmallSite.Key, new MemoryStream(), CancellationToken.None));
        }
    }

    [Fact]
    public async Task Packs_that_do_not_meet_are_not_composed()
    {
        var a = SmallSite.Of(1, ("file", [1]));
        var b = SmallSite.Of(2, ("file", [2]));
        var c = SmallSite.Of(3, ("file", [3]));
        var otherB = SmallSite.Of(2, ("file", [4]));
        var ab = await b.PackFromAsync(a, samples);
        var bc = await c.PackFromAsync(b, samples);

        await Assert.ThrowsAsync<ArgumentException>(() => ComposeAsync(bc, ab, b.Manifest));
        await Assert.ThrowsAsync<ArgumentException>(() => ComposeAsync(ab, ab, a.Manifest));
        await Assert.ThrowsAsync<ArgumentException>(() => ComposeAsync(ab, bc, c.Manifest));
        var fork = await otherB.PackFromAsync(a, samples);
        var refusal = await Assert.ThrowsAsync<ArgumentException>(() => ComposeAsync(fork, bc, a.Manifest));
        Assert.Contains("do not meet", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_composition_that_lacks_a_content_is_partial_only_if_one_of_its_packs_was()
    {
        var a = SmallSite.Of(1, ("kept", [1]));
        var b = SmallSite.Of(2, ("kept", [1]), ("new", [2]));
        var c = SmallSite.Of(3, ("kept", [1]), ("new", [2]), ("newest", [3]));
        var bc = await c.PackFromAsync(b, samples);

        var partial = await ComposeAsync(await EmptyPackAsync(a, b, partial: true), bc, a.Manifest);
        using var reader = PackReader.Open(partial);
        Assert.True(reader.Header.Partial);
        Assert.Equal(PackSamples.Hash([3]), Assert.Single(reader.Blobs).Hash);

        var broken = await EmptyPackAsync(a, b, partial: false);
        var refusal = await Assert.ThrowsAsync<MissingContentException>(() => ComposeAsync(broken, bc, a.Manifest));
        Assert.Equal([PackSamples.Hash([2])], refusal.Hashes);
    }

    [Fact]
    public async Task A_composition_that_yields_more_than_its_content_has_is_refused()
    {
        // The second pack claims a content of 100 bytes, and its delta copies the whole basis again and again.
        var a = SmallSite.Of(1, ("file", PackSamples.Noise(9_000, 1)));
        var b = SmallSite.Of(2, ("file", PackSamples.Noise(9_000, 2)));
        var c = SmallSite.Of(3, ("file", PackSamples.Noise(100, 3)));
        var (basis, target) = (b.Manifest.Entries[^1], c.Manifest.Entries[^1]);
        var grown = Enumerable.Range(0, 200).SelectMany(_ => PackSamples.Noise(9_000, 2)).ToArray();
        var path = samples.NewPath();
        await using (var output = File.Create(path))
        await using (var writer = new PackWriter(output, new PackHeader("wiki", b.Version.Id, b.Manifest.Root, c.Version.Id, Partial: false)))
        {
            await using var blob = writer.BeginBlob();
            var signature = (await BlockSignature.SignAsync(b.Open(basis.Hash), basis.Size, SmallSite.Key, CancellationToken.None)).Signature;
            await FileDelta.EncodeAsync(new MemoryStream(grown), signature, SmallSite.Key, blob.Delta, CancellationToken.None);
            await blob.CompleteAsync(target.Hash, basis.Hash, target.Size);
            await writer.CompleteAsync(c.Version, Manifest.Diff(b.Manifest, c.Manifest), CancellationToken.None);
        }

        var first = await b.PackFromAsync(a, samples);
        await Assert.ThrowsAsync<DeltaFormatException>(() => ComposeAsync(first, path, a.Manifest));
    }

    [Fact]
    public async Task A_damaged_tree_is_not_written_into_history()
    {
        var a = SmallSite.Of(1, ("file", PackSamples.Noise(9000, 1)));
        var b = SmallSite.Of(2, ("file", PackSamples.Noise(9000, 2)));
        var damaged = PackSamples.Noise(9000, 3);
        using var forward = PackReader.Open(await b.PackFromAsync(null, samples));

        await Assert.ThrowsAsync<StoreException>(() => PackAlgebra.InvertAsync(
            forward, a.Version, a.Manifest, b.Manifest, _ => new MemoryStream(damaged), b.Open, SmallSite.Key, new MemoryStream(), CancellationToken.None));
        await Assert.ThrowsAsync<StoreException>(() => PackAlgebra.InvertAsync(
            forward, a.Version, a.Manifest, b.Manifest, a.Open, _ => new MemoryStream(damaged), SmallSite.Key, new MemoryStream(), CancellationToken.None));
        await Assert.ThrowsAsync<StoreException>(() => PackAlgebra.InvertAsync(
            forward, a.Version, b.Manifest, b.Manifest, a.Open, b.Open, SmallSite.Key, new MemoryStream(), CancellationToken.None));
    }

    private async Task<string> InvertAsync(string pack, SmallSite from, SmallSite to)
    {
        using var forward = PackReader.Open(pack);
        var path = samples.NewPath();
        await using var output = File.Create(path);
        await PackAlgebra.InvertAsync(
            forward, from.Version, from.Manifest, to.Manifest, from.Open, to.Open, SmallSite.Key, output, CancellationToken.None);
        return path;
    }

    private async Task<string> ComposeAsync(string firstPack, string secondPack, Manifest start)
    {
        using var first = PackReader.Open(firstPack);
        using var second = PackReader.Open(secondPack);
        var path = samples.NewPath();
        await using var output = File.Create(path);
        await PackAlgebra.ComposeAsync(first, second, start, output, CancellationToken.None);
        return path;
    }

    private async Task<string> EmptyPackAsync(SmallSite from, SmallSite to, bool partial)
    {
        var path = samples.NewPath();
        await using var output = File.Create(path);
        await using var writer = new PackWriter(output, new PackHeader("wiki", from.Version.Id, from.Manifest.Root, to.Version.Id, partial));
        await writer.CompleteAsync(to.Version, Manifest.Diff(from.Manifest, to.Manifest), CancellationToken.None);
        return path;
    }
}
