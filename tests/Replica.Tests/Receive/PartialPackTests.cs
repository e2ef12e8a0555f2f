using System.Security.Cryptography;
using Mirror.Node.Wire;
using Mirror.Replica.Receive;
using Mirror.Testing;

namespace Mirror.Replica.Tests.Receive;

public sealed class PartialPackTests : IDisposable
{
    private static readonly byte[] content = RandomNumberGenerator.GetBytes(100_000);
    private readonly TemporaryDirectory files = new();

    private string File => files["1.1-1.2.pack.part"];

    public void Dispose() => files.Dispose();

    [Fact]
    public async Task What_arrives_in_pieces_is_whole_when_length_and_hash_are_right()
    {
        await ReceiveAsync(content, 0, content);

        Assert.Equal(content, System.IO.File.ReadAllBytes(File));
    }

    [Fact]
    public async Task What_is_resumed_is_hashed_from_its_beginning_and_what_lies_behind_the_offset_is_forgotten()
    {
        System.IO.File.WriteAllBytes(File, [.. content[..40_000], 1, 2, 3]);

        await ReceiveAsync(content[40_000..], 40_000, content);

        Assert.Equal(content, System.IO.File.ReadAllBytes(File));
    }

    [Fact]
    public async Task What_is_longer_than_announced_is_refused_before_it_is_written()
    {
        await using var pack = await PartialPack.BeginAsync(File, new PackBegins { Length = 10 }, CancellationToken.None);

        await Assert.ThrowsAsync<InvalidDataException>(() => pack.WriteAsync(content.AsMemory(0, 11), CancellationToken.None));

        await pack.DisposeAsync();
        Assert.Equal(0, new FileInfo(File).Length);
    }

    [Theory]
    [InlineData(100_000, true)]
    [InlineData(99_999, false)]
    public async Task What_is_short_or_has_another_hash_is_refused_and_received_again_from_nothing(int bytes, bool flip)
    {
        var sent = content[..bytes];
        if (flip)
        {
            sent[500] ^= 1;
        }

        var refusal = await Assert.ThrowsAsync<InvalidDataException>(() => ReceiveAsync(sent, 0, content));

        Assert.Contains("arrived damaged", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(0, new FileInfo(File).Length);
    }

    [Theory]
    [InlineData(100, 5)]
    [InlineData(100, 101)]
    [InlineData(ulong.MaxValue, 0)]
    public async Task An_announcement_that_cannot_be_is_refused(ulong length, ulong offset)
    {
        System.IO.File.WriteAllBytes(File, content[..4]);

        await Assert.ThrowsAsync<InvalidDataException>(
            () => PartialPack.BeginAsync(File, new PackBegins { Length = length, Offset = offset }, CancellationToken.None));
    }

    private async Task ReceiveAsync(byte[] sent, long offset, byte[] whole)
    {
        await using var pack = await PartialPack.BeginAsync(File, new PackBegins { Length = (ulong)whole.Length, Offset = (ulong)offset }, CancellationToken.None);
        foreach (var piece in sent.Chunk(7777))
        {
            await pack.WriteAsync(piece, CancellationToken.None);
        }

        await pack.EndAsync(SHA256.HashData(whole), CancellationToken.None);
    }
}
