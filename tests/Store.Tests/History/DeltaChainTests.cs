using System.Security.Cryptography;
using CsCheck;
using Mirror.Delta;
using Mirror.Store.History;

namespace Mirror.Store.Tests.History;

public sealed class DeltaChainTests
{
    private static readonly BlockKey key = new(7);

    [Fact]
    public Task A_chain_yields_what_its_deltas_yield_in_turn() => Gen.Select(Gen.Int[0, 40], Gen.Int[1, 200], Gen.Int).SampleAsync(
        async (length, mostOperations, seed) =>
        {
            var random = new Random(seed);
            var first = Bytes(random, random.Next(30_000));
            var (deltas, last) = await RowAsync(first, length, random);
            using var chain = new DeltaChain(_ => new MemoryStream(), mostOperations);
            foreach (var (delta, yields) in deltas)
            {
                chain.Add(new MemoryStream(delta), yields, CancellationToken.None);
            }

            Assert.Equal(last, await ApplyAsync(first, chain.Finish(CancellationToken.None)));
        },
        iter: 60, threads: 1);

    [Fact]
    public async Task A_thousand_deltas_become_one_by_ten_rounds_of_compositions()
    {
        var random = new Random(11);
        var first = Bytes(random, 50_000);
        var (deltas, last) = await RowAsync(first, 1000, random);
        var made = 0;
        using var chain = new DeltaChain(_ =>
        {
            made++;
            return new MemoryStream();
        });
        foreach (var (delta, yields) in deltas)
        {
            chain.Add(new MemoryStream(delta), yields, CancellationToken.None);
        }

        var links = chain.Finish(CancellationToken.None);
        Assert.Equal(999, made);
        Assert.Equal(last, await ApplyAsync(first, [Assert.Single(links)]));
    }

    [Fact]
    public async Task A_delta_cut_too_finely_is_not_composed_and_the_rest_is()
    {
        var random = new Random(12);
        var first = Bytes(random, 50_000);
        var (deltas, last) = await RowAsync(first, 64, random);
        using var chain = new DeltaChain(_ => new MemoryStream(), mostOperations: 20);
        foreach (var (delta, yields) in deltas)
        {
            chain.Add(new MemoryStream(delta), yields, CancellationToken.None);
        }

        var links = chain.Finish(CancellationToken.None);
        Assert.InRange(links.Count, 2, 63);
        Assert.Equal(last, await ApplyAsync(first, links));
    }

    private static async Task<byte[]> ApplyAsync(byte[] first, IReadOnlyList<(Stream Delta, long Yields)> links)
    {
        var content = first;
        foreach (var (delta, yields) in links)
        {
            delta.Position = 0;
            using var next = new MemoryStream();
            var (length, sha256) = await FileDelta.ApplyAsync(new MemoryStream(content), delta, next, yields, CancellationToken.None);
            content = next.ToArray();
            Assert.Equal((content.LongLength, yields), (length, length));
            Assert.Equal(SHA256.HashData(content), sha256);
        }

        return content;
    }

    private static async Task<(List<(byte[] Delta, long Yields)> Deltas, byte[] Last)> RowAsync(byte[] first, int length, Random random)
    {
        var deltas = new List<(byte[], long)>();
        var content = first;
        for (var i = 0; i < length; i++)
        {
            var next = Edited(content, random);
            var signature = await BlockSignature.SignAsync(new MemoryStream(content), content.Length, key, CancellationToken.None);
            using var delta = new MemoryStream();
            await FileDelta.EncodeAsync(new MemoryStream(next), signature.Signature, key, delta, CancellationToken.None);
            deltas.Add((delta.ToArray(), next.Length));
            content = next;
        }

        return (deltas, content);
    }

    private static byte[] Edited(byte[] content, Random random)
    {
        var at = random.Next(content.Length + 1);
        var cut = Math.Min(random.Next(300), content.Length - at);
        return [.. content.AsSpan(0, at), .. Bytes(random, random.Next(300)), .. content.AsSpan(at + cut)];
    }

    private static byte[] Bytes(Random random, int length)
    {
        var bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }
}
