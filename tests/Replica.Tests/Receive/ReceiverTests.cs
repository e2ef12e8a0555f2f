using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Wire;
using Mirror.Replica.Receive;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Replica.Tests.Receive;

public sealed class ReceiverTests : IAsyncLifetime, IDisposable
{
    private const ulong epoch = 3;
    private readonly SampleSite site = new();
    private readonly VersionRecord one;
    private readonly VersionRecord two;
    private readonly VersionRecord three;
    private readonly Inbox inbox;
    private FakePrimary primary = null!;
    private int told;

    public ReceiverTests()
    {
        one = site.Add("1");
        two = site.Add(TreeLiteral.Empty.File("big.bin", RandomNumberGenerator.GetBytes(2_000_000)));
        three = site.Add("3");
        inbox = new Inbox(site.Files["inbox"], one);
    }

    public async Task InitializeAsync() => primary = await FakePrimary.StartAsync();

    public async Task DisposeAsync() => await primary.DisposeAsync();

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task Packs_arrive_in_turn_and_heartbeats_between_them_change_nothing()
    {
        var (first, second) = (await site.PackAsync(one, two), await site.PackAsync(two, three));
        primary.OnFollow = async (_, stream, _) =>
        {
            await SendAsync(stream, [new FollowFrame { Epoch = epoch, Idle = new Idle() }]);
            await SendAsync(stream, FakePrimary.Frames(first, one, two, epoch));
            await SendAsync(stream, [new FollowFrame { Epoch = epoch, Idle = new Idle() }]);
            await SendAsync(stream, FakePrimary.Frames(second, two, three, epoch));
        };

        Assert.Equal(FollowOutcome.StreamEnded, await Receiver().FollowAsync(CancellationToken.None));

        var asked = await primary.Asked.ReadAsync();
        Assert.Equal((FakePrimary.ToWire(one.Id), ByteString.CopyFrom(one.Root.ToArray()), epoch), (asked.Have, asked.HaveRoot, asked.Epoch));
        Assert.Equal((three.Id, three.Root), inbox.Stored);
        Assert.Equal(2, told);
    }

    [Fact]
    public async Task A_connection_cut_inside_a_pack_is_taken_up_again_at_the_last_whole_frame()
    {
        var pack = await site.PackAsync(one, two);
        primary.OnFollow = async (_, stream, context) =>
        {
            await SendAsync(stream, FakePrimary.Frames(pack, one, two, epoch, pieces: 30));
            while (new FileInfo(inbox.PartOf(one.Id, two.Id)) is not { Exists: true, Length: > 1_000_000 })
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, context.CancellationToken);
            }

            context.GetHttpContext().Abort();
        };
        await Assert.ThrowsAnyAsync<Exception>(() => Receiver().FollowAsync(CancellationToken.None));
        Assert.Equal(one.Id, inbox.Stored.Id);
        var part = inbox.PartOf(one.Id, two.Id);
        var safe = PackReader.SafePrefix(part);

        primary.OnFollow = (asked, stream, _) => SendAsync(stream, FakePrimary.Frames(pack, one, two, epoch, (long)asked.ResumeOffset));
        await Receiver().FollowAsync(CancellationToken.None);

        Assert.Equal(0ul, (await primary.Asked.ReadAsync()).ResumeOffset);
        var resumed = await primary.Asked.ReadAsync();
        Assert.Equal((FakePrimary.ToWire(two.Id), (ulong)safe), (resumed.ResumeTo, resumed.ResumeOffset));
        Assert.True(safe > 500_000, $"only {safe} bytes were safe");
        Assert.Equal(two.Id, inbox.Stored.Id);
        Assert.Equal(File.ReadAllBytes(pack), File.ReadAllBytes(inbox.Peek()!.Path));
    }

    [Fact]
    public async Task What_a_primary_of_an_older_epoch_sends_is_refused()
    {
        var pack = await site.PackAsync(one, two);
        primary.OnFollow = (_, stream, _) => SendAsync(stream, FakePrimary.Frames(pack, one, two, epoch - 1));

        var refusal = await Assert.ThrowsAsync<InvalidDataException>(() => Receiver().FollowAsync(CancellationToken.None));

        Assert.Contains("answered with epoch 2; epoch 3 is known", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(one.Id, inbox.Stored.Id);
        Assert.Empty(Directory.GetFiles(site.Files["inbox"]));
    }

    [Fact]
    public async Task A_primary_that_falls_silent_is_given_up()
    {
        var time = new FakeTimeProvider();
        var beaten = new TaskCompletionSource();
        primary.OnFollow = async (_, stream, context) =>
        {
            beaten.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.CancellationToken);
        };

        var following = Receiver(time).FollowAsync(CancellationToken.None);
        await beaten.Task;
        while (!following.IsCompleted)
        {
            // Who calls hears of the call being there a while after it is.
            time.Advance(TimeSpan.FromSeconds(6));
            await Task.WhenAny(following, Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System));
        }

        var given = await Assert.ThrowsAsync<TimeoutException>(() => following);
        Assert.Contains("sent nothing for 5 s", given.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_frame_that_makes_no_sense_ends_the_stream_with_its_name()
    {
        primary.OnFollow = (_, stream, _) => SendAsync(stream, [new FollowFrame { Epoch = epoch, Data = ByteString.CopyFromUtf8("of what?") }]);

        var refusal = await Assert.ThrowsAsync<InvalidDataException>(() => Receiver().FollowAsync(CancellationToken.None));

        Assert.Contains("Data", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_primary_without_a_chain_of_packs_asks_for_a_fill()
    {
        primary.OnFollow = (_, stream, _) => SendAsync(stream, [new FollowFrame { Epoch = epoch, Refill = new Refill { Reason = "too old" } }]);

        Assert.Equal(FollowOutcome.NeedsFill, await Receiver().FollowAsync(CancellationToken.None));
    }

    [Fact]
    public async Task A_fill_is_asked_with_what_is_at_hand_and_stands_on_its_own()
    {
        primary.FillAnswer = Pieces(await site.PackAsync(null, three));

        await Receiver().FillAsync(site.TreeOf(one).ToManifest(), CancellationToken.None);

        Assert.Equal(2, primary.HashesAtHand);
        Assert.Equal((three.Id, three.Root), inbox.Stored);
        Assert.Equal(default, inbox.Peek()!.From);
        Assert.Equal(1, told);
    }

    [Theory]
    [InlineData(-1, "longer than")]
    [InlineData(1, "ended after")]
    public async Task A_fill_of_another_length_than_announced_is_refused(int error, string why)
    {
        primary.FillAnswer = Pieces(await site.PackAsync(null, three), error);

        var refusal = await Assert.ThrowsAsync<InvalidDataException>(() => Receiver().FillAsync(Manifest.Empty, CancellationToken.None));

        Assert.Contains(why, refusal.Message, StringComparison.Ordinal);
        Assert.Equal(one.Id, inbox.Stored.Id);
        Assert.Equal(0, told);
    }

    [Fact]
    public async Task A_damaged_fill_or_one_of_an_older_epoch_is_refused()
    {
        var good = Pieces(await site.PackAsync(null, two));
        var flipped = good[10].Data.ToByteArray();
        flipped[77] ^= 1;

        primary.FillAnswer = [.. good.Take(10), new PackBytes { Epoch = epoch, Data = ByteString.CopyFrom(flipped) }, .. good.Skip(11)];
        await Assert.ThrowsAsync<PackFormatException>(() => Receiver().FillAsync(Manifest.Empty, CancellationToken.None));
        primary.FillAnswer = [new PackBytes(good[0]) { Epoch = epoch - 1 }, .. good.Skip(1)];
        await Assert.ThrowsAsync<InvalidDataException>(() => Receiver().FillAsync(Manifest.Empty, CancellationToken.None));

        Assert.Equal(one.Id, inbox.Stored.Id);
    }

    private Receiver Receiver(TimeProvider? time = null) =>
        new(SampleSite.Name, "beta", primary.Client, epoch, inbox, () => told++, time ?? TimeProvider.System);

    private static List<PackBytes> Pieces(string pack, int error = 0)
    {
        var bytes = File.ReadAllBytes(pack);
        return [new PackBytes { Epoch = epoch, Length = (ulong)(bytes.Length + error) }, .. bytes.Chunk(50_000).Select(piece => new PackBytes { Epoch = epoch, Data = ByteString.CopyFrom(piece) })];
    }

    private static async Task SendAsync(IServerStreamWriter<FollowFrame> stream, IEnumerable<FollowFrame> frames)
    {
        foreach (var frame in frames)
        {
            await stream.WriteAsync(frame);
        }
    }
}
