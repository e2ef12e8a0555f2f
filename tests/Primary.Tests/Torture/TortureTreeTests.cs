using Mirror.Store.Manifests;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Torture;

/// <summary>Everything a file system can hold, from a live primary to a replica, and what the years make of it. rsync and find are the judges.</summary>
public sealed class TortureTreeTests
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);

    [Fact]
    public async Task A_replica_is_identical_to_the_torture_tree_and_to_what_becomes_of_it()
    {
        await using var site = await LiveSite.MakeAsync();
        TortureTree.Make(site.Root);
        var replica = await site.ReplicaAsync();
        using var limit = new CancellationTokenSource(patience);
        await using var role = await site.EnterAsync();
        await role.CaptureAsync(allowMassDelete: false, limit.Token);
        await FollowAsync(role, replica);
        Identical.Assert(site.Root, replica.HeadTree, "/" + TortureTree.Socket);
        Assert.Null(replica.HeadManifest.Find(EntryPath.Parse(TortureTree.Socket)));
        var first = replica.Head!;

        TortureTree.Live(site.Root);
        await role.CaptureAsync(allowMassDelete: false, limit.Token);
        await FollowAsync(role, replica);

        Identical.Assert(site.Root, replica.HeadTree);
        Assert.NotEqual(first.Root, replica.Head!.Root);
        await LiveSite.AssertCleanAsync(replica);
        Assert.Null(await role.CaptureAsync(allowMassDelete: false, limit.Token));
    }

    // What Publish and Receive carry between nodes: pack by pack, in turn.
    private static async Task FollowAsync(PrimaryRole role, VersionStore replica)
    {
        while (role.TryNext(replica.Head?.Id ?? default, replica.Head?.Root ?? default, out var upToDate) is { } pack)
        {
            await LiveSite.StageAsync(replica, pack.Path);
            Assert.False(upToDate);
        }

        Assert.Equal(role.Newest!.Id, replica.Head!.Id);
    }
}
