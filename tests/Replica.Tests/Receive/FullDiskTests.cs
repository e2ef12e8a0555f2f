using System.Security.Cryptography;
using Mirror.Replica.Receive;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Replica.Tests.Receive;

/// <summary>A replica whose disk runs full while a pack arrives.</summary>
public sealed class FullDiskTests
{
    private const ulong epoch = 3;

    [MountFact]
    public async Task A_pack_that_found_no_room_fails_by_name_and_goes_on_at_the_last_whole_frame_when_there_is_some()
    {
        using var site = new SampleSite();
        using var disk = new MountedDirectory(1500);
        var one = site.Add("1");
        var two = site.Add(TreeLiteral.Empty.File("big.bin", RandomNumberGenerator.GetBytes(3_000_000)));
        var pack = await site.PackAsync(one, two);
        var inbox = new Inbox(Path.Combine(disk.Path, "inbox"), one);
        await using var primary = await FakePrimary.StartAsync();
        primary.OnFollow = async (asked, stream, _) =>
        {
            foreach (var frame in FakePrimary.Frames(pack, one, two, epoch, (long)asked.ResumeOffset))
            {
                await stream.WriteAsync(frame);
            }
        };
        var receiver = new Receiver(SampleSite.Name, "b", primary.Client, epoch, inbox, static () => { }, TimeProvider.System);

        var failure = await Assert.ThrowsAsync<IOException>(() => receiver.FollowAsync(CancellationToken.None));

        Assert.Contains("space", failure.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(one.Id, inbox.Stored.Id);
        Shell.Run("mount -o remount,size=16m none \"$1\"", disk.Path);
        Assert.Equal(FollowOutcome.StreamEnded, await receiver.FollowAsync(CancellationToken.None));
        Assert.Equal(0ul, (await primary.Asked.ReadAsync()).ResumeOffset);
        var resumed = await primary.Asked.ReadAsync();
        Assert.True(resumed.ResumeOffset > 500_000, $"of 1.5 MB that had room {resumed.ResumeOffset} bytes were gone on from");
        Assert.Equal(two.Id, inbox.Stored.Id);
        Assert.Equal(await File.ReadAllBytesAsync(pack), await File.ReadAllBytesAsync(inbox.Peek()!.Path));
    }
}
