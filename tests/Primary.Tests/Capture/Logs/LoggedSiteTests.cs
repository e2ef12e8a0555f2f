using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Node.Configuration;
using Mirror.Store.Logs;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Capture.Logs;

public sealed class LoggedSiteTests
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);
    private static readonly LogsConfig logs = new(["logs/*.log", "logs/*.log.*"], TimeSpan.FromDays(30), true, 4096, TimeSpan.Zero);
    private static readonly TreeLiteral tree = TreeLiteral.Empty.File("index.html", "<h1>Welcome</h1>").Directory("logs");

    [Fact]
    public async Task A_version_has_the_bytes_of_a_log_and_not_the_log_and_a_restore_brings_it_back()
    {
        await using var site = await LiveSite.MakeAsync(tree, files: files => files with { Logs = logs });
        var first = Lines(1, 4_000);
        site.Write("logs/app.log", first);
        Shell.Run("chmod 640 \"$1/logs/app.log\"", site.Root);
        await using var role = await site.EnterAsync();
        var replica = await site.ReplicaAsync();
        await FollowAsync(role, replica);

        Assert.False(File.Exists(Path.Combine(replica.HeadTree, "logs/app.log")));
        site.Write("logs/app.log", first + Lines(4_001, 10));
        await role.CaptureAsync(false, CancellationToken.None);

        // The primary itself shows what it captured, also of a version before the segment grew.
        var segment = new LogSegment(new LogStreamId(1, 1), EntryPath.Parse("logs/app.log"), 0).Path;
        using var copied = new MemoryStream();
        Assert.True(await role.TryCopyLogAsync(role.Newest!.Parent, segment, copied, CancellationToken.None));
        Assert.Equal(first, Encoding.UTF8.GetString(copied.ToArray()));
        Assert.False(await role.TryCopyLogAsync(role.Newest.Id, EntryPath.Parse("index.html"), copied, CancellationToken.None));

        // What an app on the replica logs is its own.
        await File.WriteAllTextAsync(Path.Combine(replica.HeadTree, "logs/app.log"), "a standby");
        await FollowAsync(role, replica);
        await LiveSite.AssertCleanAsync(replica);
        foreach (var (version, expected) in new[] { (role.Newest!.Parent, first), (role.Newest!.Id, first + Lines(4_001, 10)) })
        {
            var restored = site.Files[$"restored-{version}"];
            await replica.RestoreAsync(version, restored, null, CancellationToken.None);
            Assert.Equal(expected, await File.ReadAllTextAsync(Path.Combine(restored, "logs/app.log")));
            Assert.Equal("640", Shell.Run("stat -c %a \"$1/logs/app.log\"", restored).Trim());
        }
    }

    [Fact]
    public async Task New_lines_of_a_long_log_make_a_small_pack()
    {
        await using var site = await LiveSite.MakeAsync(tree, files: files => files with { Logs = logs with { Empty = false } });
        site.Write("logs/app.log", Convert.ToBase64String(LiveSite.Noise(1, 6 << 20)) + "\n");
        await using var role = await site.EnterAsync();
        await File.AppendAllTextAsync(Path.Combine(site.Root, "logs/app.log"), Lines(1, 1));

        var version = await role.CaptureAsync(false, CancellationToken.None);

        var pack = role.TryNext(version!.Parent, site.Store.Find(version.Parent)!.Root, out _)!;
        Assert.True(pack.Length < 16 << 10, $"{pack.Length} bytes");
    }

    [Fact]
    public async Task A_log_is_emptied_when_another_node_has_verified_its_version_and_not_before()
    {
        await using var site = await LiveSite.MakeAsync(tree, files: files => files with { Logs = logs });
        var log = Path.Combine(site.Root, "logs/app.log");
        await File.WriteAllTextAsync(log, Lines(1, 4_000));
        var length = new FileInfo(log).Length;
        await using var role = await site.EnterAsync();
        var version = role.Newest!.Id;

        role.Report("b", new ReplicaHolding(version, default, default));
        role.Report("stranger", new ReplicaHolding(version, version, version));
        await File.AppendAllTextAsync(log, Lines(4_001, 1));
        await role.CaptureAsync(false, CancellationToken.None);
        Assert.Equal(length + Lines(4_001, 1).Length, new FileInfo(log).Length);

        role.Report("b", new ReplicaHolding(version, version, default));
        Assert.True(SpinWait.SpinUntil(() => new FileInfo(log).Length < length, patience), "it was not emptied");
        Assert.InRange(new FileInfo(log).Length, Lines(4_001, 1).Length + 4096, Lines(4_001, 1).Length + (2 * 4096));

        // Whoever comes now gets all of it, and a restore has what the file has.
        await File.AppendAllTextAsync(log, Lines(4_002, 1));
        var fill = await role.WriteFillAsync(new HashSet<ContentHash>(), CancellationToken.None);
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, fill);
        Assert.Equal(4_002, LogRig.AssertCounts(LogRig.Captured(Path.Combine(replica.HeadTree, ".mirror/logs"), "logs/app.log")));
        await replica.RestoreAsync(replica.Head!.Id, site.Files["restored"], null, CancellationToken.None);
        Assert.Equal(await File.ReadAllTextAsync(log), await File.ReadAllTextAsync(Path.Combine(site.Files["restored"], "logs/app.log")));
    }

    [Fact]
    public async Task A_reign_that_ends_and_comes_back_goes_on_where_it_was()
    {
        await using var site = await LiveSite.MakeAsync(tree, files: files => files with { Logs = logs });
        var log = Path.Combine(site.Root, "logs/app.log");
        await File.WriteAllTextAsync(log, Lines(1, 3_000));
        VersionRecord newest;
        await using (var role = await site.EnterAsync())
        {
            newest = role.Newest!;
            role.Report("b", new ReplicaHolding(newest.Id, newest.Id, default));
            Assert.True(SpinWait.SpinUntil(() => new FileInfo(log).Length < Lines(1, 3_000).Length, patience), "it was not emptied");
            newest = await role.CaptureAsync(false, CancellationToken.None) ?? role.Newest!;
        }

        var retirement = await site.RetireAsync(new Dictionary<VersionId, ContentHash> { [newest.Id] = newest.Root });
        Assert.True(retirement.Branch.IsNone, retirement.Sentence);
        await LiveSite.AssertCleanAsync(site.Store);

        var live = await site.Store.BeginCapturingAsync(CancellationToken.None);
        await File.AppendAllTextAsync(Path.Combine(live.Tree, "logs/app.log"), Lines(3_001, 1));
        await using var again = await PrimaryRole.EnterAsync(
            site.Config, "a", 2, site.Store, live, site.Spool, TimeProvider.System, NullLogger.Instance, CancellationToken.None);

        Assert.Equal(2u, again.Newest!.Id.Epoch);
        Assert.All(site.Store.HeadManifest.Entries, entry => Assert.True(!LogSegment.TryParse(entry.Path, out var segment) || segment.Stream == new LogStreamId(1, 1)));
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, await again.WriteFillAsync(new HashSet<ContentHash>(), CancellationToken.None));
        Assert.Equal(3_001, LogRig.AssertCounts(LogRig.Captured(Path.Combine(replica.HeadTree, ".mirror/logs"), "logs/app.log")));
    }

    [Fact]
    public async Task The_last_lines_of_a_primary_that_diverged_are_in_its_branch()
    {
        await using var site = await LiveSite.MakeAsync(tree, files: files => files with { Logs = logs });
        var log = Path.Combine(site.Root, "logs/app.log");
        await File.WriteAllTextAsync(log, Lines(1, 10));
        VersionRecord common;
        await using (var role = await site.EnterAsync())
        {
            common = role.Newest!;
        }

        await File.AppendAllTextAsync(log, Lines(11, 1));
        var retirement = await site.RetireAsync(new Dictionary<VersionId, ContentHash> { [common.Id] = common.Root });

        await LiveSite.AssertCleanAsync(site.Store);
        await site.Store.RestoreAsync(retirement.Branch, site.Files["branch"], null, CancellationToken.None);
        Assert.Equal(Lines(1, 11), await File.ReadAllTextAsync(Path.Combine(site.Files["branch"], "logs/app.log")));
    }

    private static async Task FollowAsync(PrimaryRole role, VersionStore replica)
    {
        while (role.TryNext(replica.Head?.Id ?? default, replica.Head?.Root ?? default, out var upToDate) is var pack && !upToDate)
        {
            await LiveSite.StageAsync(replica, pack!.Path);
        }
    }

    private static string Lines(int first, int count) => string.Concat(Enumerable.Range(first, count).Select(number => $"{number} {LogWriter.Text}\n"));
}
