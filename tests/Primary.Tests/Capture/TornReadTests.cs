using Mirror.Primary.Capture;
using Mirror.Store.Manifests;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Capture;

/// <summary>Files that change or vanish while they are captured.</summary>
public sealed class TornReadTests
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);

    [Theory]
    [InlineData(60_000)]
    [InlineData(2 << 20)]
    public async Task A_file_rewritten_all_the_time_is_whole_or_flagged_and_read_again(int length)
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("busy", State(0, length)).File("still", "1"));
        await site.CaptureAsync();
        var replica = await site.ReplicaAsync();
        using var stop = new CancellationTokenSource();
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var writer = Task.Factory.StartNew(
            () => Rewrite(Path.Combine(site.Root, "busy"), length, begun, stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await begun.Task.WaitAsync(patience);
        var flagged = 0;
        try
        {
            var since = TimeProvider.System.GetTimestamp();
            while (flagged == 0 && TimeProvider.System.GetElapsedTime(since) < patience)
            {
                var captured = await site.CaptureAsync(time: TimeProvider.System);
                var entry = site.Store.HeadManifest.Find(EntryPath.Parse("busy"))!;
                Assert.Equal(entry.Unstable, captured.Unstable.Contains(entry.Path));
                Assert.False(entry.Unstable && captured.StatKeys.ContainsKey(entry.Path), "what never held still must be looked at again");
                flagged += entry.Unstable ? 1 : 0;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await writer;
        }

        Assert.True(flagged > 0, $"In {patience} of captures the file always held still.");
        var quiet = await site.CaptureAsync();
        Assert.True(quiet.FilesRead > 0);
        Assert.Empty(quiet.Unstable);
        var last = site.Store.HeadManifest.Find(EntryPath.Parse("busy"))!;
        Assert.False(last.Unstable);
        Assert.Equal(ContentHash.From(System.Security.Cryptography.SHA256.HashData(await File.ReadAllBytesAsync(Path.Combine(site.Root, "busy")))), last.Hash);

        // Every version on the way is consistent with its own hash: a replica takes them all.
        foreach (var pack in Directory.GetFiles(site.Store.OutboxDirectory, "*.pack").OrderBy(pack => VersionOf(pack)))
        {
            await LiveSite.StageAsync(replica, pack);
        }

        TreeAssert.SameDirectories(site.Root, replica.HeadTree);
    }

    [Theory]
    [InlineData(60_000)]
    [InlineData(2 << 20)]
    public async Task A_file_replaced_by_renames_is_one_of_its_states_and_never_a_mixture(int length)
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("busy", State(0, length)));
        await site.CaptureAsync();
        var states = Enumerable.Range(0, 4).Select(number => ContentHash.From(System.Security.Cryptography.SHA256.HashData(State(number, length)))).ToHashSet();
        using var stop = new CancellationTokenSource();
        var writer = Task.Run(() =>
        {
            var path = Path.Combine(site.Root, "busy");
            for (var number = 0; !stop.IsCancellationRequested; number = (number + 1) % 4)
            {
                File.WriteAllBytes(site.Files["next"], State(number, length));
                File.Move(site.Files["next"], path, overwrite: true);
            }
        });
        try
        {
            for (var turn = 0; turn < 40; turn++)
            {
                await site.CaptureAsync(time: TimeProvider.System);
                Assert.Contains(site.Store.HeadManifest.Find(EntryPath.Parse("busy"))!.Hash, states);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await writer;
        }
    }

    [Fact]
    public async Task What_vanishes_between_the_walk_and_the_reading_is_gone_with_all_below_and_what_came_instead_is_looked_at()
    {
        var tree = TreeLiteral.Empty
            .File("small", "1").File("large", LiveSite.Noise(1, 2 << 20)).File("kept", "2").File("a/b/deep", "3").File("a/also", "4").File("link", "5").Hardlink("link.twin", "link")
            .File("became", "6");
        await using var site = await LiveSite.MakeAsync(tree);
        var walk = await site.WalkAsync();
        Shell.Run("cd \"$1\"; rm small large link became; rm -r a; mkdir became; echo inner > became/inner", site.Root);

        var captured = await site.CaptureAsync(begun: walk);

        Assert.Equal(["", "became", "became/inner", "kept", "link.twin"], LiveSite.Put(captured));
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, captured.Pack!);
        TreeAssert.SameDirectories(site.Root, replica.HeadTree);
    }

    // Every eighth byte tells which state it is of.
    private static byte[] State(int number, int length)
    {
        var content = LiveSite.Noise(7, length);
        for (var at = 0; at < length; at += 8)
        {
            content[at] = (byte)number;
        }

        return content;
    }

    private static void Rewrite(string path, int length, TaskCompletionSource begun, CancellationToken stop)
    {
        byte[][] states = [State(1, length), State(2, length), State(3, length)];
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        for (var number = 0; !stop.IsCancellationRequested; number = (number + 1) % states.Length)
        {
            for (var at = 0; at < length; at += 4096)
            {
                RandomAccess.Write(file.SafeFileHandle, states[number].AsSpan(at, Math.Min(4096, length - at)), at);
            }

            begun.TrySetResult();
        }
    }

    private static Store.Versions.VersionId VersionOf(string pack) =>
        Store.Versions.VersionId.TryParse(Path.GetFileNameWithoutExtension(pack).Split('-')[^1], out var id) ? id : throw new FormatException(pack);
}
