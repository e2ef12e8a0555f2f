using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Primary.Capture.Databases;
using Mirror.Testing;
using Mirror.Testing.Databases;

namespace Mirror.Primary.Tests.Capture.Databases;

public sealed class CommandDumpTests
{
    [Fact]
    public async Task What_a_command_prints_is_the_dump_and_the_same_again_is_no_version()
    {
        await using var site = await LiveSite.MakeAsync([Of("printf '%s of %s in %s' \"$MIRROR_DATABASE\" \"$MIRROR_SITE\" \"$MIRROR_SLOT\"")]);

        await site.CaptureAsync();

        Assert.Equal("any of wiki in live", File.ReadAllText(Path.Combine(site.Spool, "any")));
        var again = await site.CaptureAsync();
        Assert.Null(again.Version);
        Assert.Equal(["any"], site.Store.Head!.Dumps);
    }

    [Fact]
    public async Task A_command_runs_as_gently_as_the_site_asks()
    {
        await using var site = await LiveSite.MakeAsync([Of("nice; ionice")]);
        var gentle = site.Config with { Capture = CaptureConfig.Default with { Nice = 7, Io = IoPriority.Idle } };

        await new SiteDumps(gentle, site.Live.Tree, site.Live.Slot, site.Spool, TimeProvider.System).RunAsync(null, CancellationToken.None);

        var here = int.Parse(Shell.Run("nice"), System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal($"{Math.Min(19, here + 7)}\nidle\n", File.ReadAllText(Path.Combine(site.Spool, "any")));
    }

    [Fact]
    public async Task A_long_dump_is_read_to_its_end_and_what_grew_shrank_or_changed_is_what_it_prints_now()
    {
        await using var site = await LiveSite.MakeAsync([Of("cat \"$MIRROR_ROOT/source\"")]);
        var replica = await site.ReplicaAsync();
        var content = LiveSite.Noise(1, 3_000_000);
        foreach (var next in new[] { content, [.. content, 1, 2, 3], content[..1_000_000], Changed(content, 999_999), Changed(content, 0), content })
        {
            File.WriteAllBytes(Path.Combine(site.Root, "source"), next);
            await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);
            Assert.Equal(next, File.ReadAllBytes(Path.Combine(replica.HeadTree, ".mirror/dumps/any")));
        }
    }

    [Fact]
    public async Task A_command_may_fill_a_directory_of_which_only_what_changed_is_read_again()
    {
        await using var site = await LiveSite.MakeAsync([Of("mkdir -p \"$1/in\"; cp \"$MIRROR_ROOT\"/* \"$1/in\"; printf same > \"$1/same\"", "{directory}")]);
        site.Write("one", "1");
        site.Write("two", "2");
        await site.CaptureAsync();
        var inode = Shell.Run("stat -c %i \"$1\"", Path.Combine(site.Spool, "any/same"));
        Shell.Run("rm \"$1/one\"; echo changed >\"$1/two\"; echo 3 >\"$1/three\"", site.Root);

        await site.CaptureAsync();

        Assert.Equal(["any", "any/in", "any/in/three", "any/in/two", "any/same"], Shell.Run("cd \"$1\"; find . -mindepth 1 -printf '%P\\n'", site.Spool).Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
        Assert.Equal("changed\n", File.ReadAllText(Path.Combine(site.Spool, "any/in/two")));
        Assert.Equal(inode, Shell.Run("stat -c %i \"$1\"", Path.Combine(site.Spool, "any/same")));
    }

    [Theory]
    [InlineData("echo something; echo 'no such host' >&2; exit 3", "sh ended with exit code 3: no such host")]
    [InlineData("kill -9 $$", "(signal 9)")]
    [InlineData("true", "has 0 bytes, and at least 4 are expected")]
    [InlineData("echo 12", "has 3 bytes, and at least 4 are expected")]
    public async Task A_dump_that_ends_badly_or_with_too_little_fails_the_capture_and_the_last_one_stays(string script, string says)
    {
        await using var site = await LiveSite.MakeAsync([Of("[ ! -e script ] || . ./script; printf first") with { AtLeast = 4 }]);
        await site.CaptureAsync();
        site.Write("script", script + "\nexit");

        var failure = await Assert.ThrowsAsync<CaptureException>(() => site.CaptureAsync());

        Assert.Contains(says, failure.Message, StringComparison.Ordinal);
        Assert.Contains("any", failure.Message, StringComparison.Ordinal);
        Assert.Equal("first", File.ReadAllText(Path.Combine(site.Spool, "any")));
    }

    [Fact]
    public async Task A_dump_that_is_late_is_killed_with_all_it_started_and_the_last_one_stays()
    {
        var time = new FakeTimeProvider();
        await using var site = await LiveSite.MakeAsync([Of("[ ! -e script ] || . ./script; printf first") with { Within = TimeSpan.FromSeconds(5) }]);
        var dumps = site.DumpsBy(time);
        await dumps.RunAsync(null, CancellationToken.None);
        var sleep = "sleep " + Processes.OwnSeconds();
        site.Write("script", $"echo this is no dump yet; {sleep} & {sleep}");
        var late = dumps.RunAsync(null, CancellationToken.None);
        await Processes.UntilAsync(sleep, 2);
        time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.False(late.IsCompleted);

        time.Advance(TimeSpan.FromSeconds(0.1));

        Assert.Contains("any could not be dumped: sh was still running after 5s, and was killed", (await Assert.ThrowsAsync<CaptureException>(() => late)).Message, StringComparison.Ordinal);
        Assert.Equal("first", File.ReadAllText(Path.Combine(site.Spool, "any")));
        await Processes.UntilNoneAsync(sleep);
    }

    [Fact]
    public async Task A_command_that_is_not_there_is_named()
    {
        await using var site = await LiveSite.MakeAsync([new DatabaseConfig("any", DatabaseKind.Command, null, null) { Command = ["/no/such/program"] }]);
        Assert.Contains("/no/such/program could not be started", (await Assert.ThrowsAsync<CaptureException>(() => site.CaptureAsync())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_link_in_a_dump_is_refused()
    {
        await using var site = await LiveSite.MakeAsync([Of("ln -s /etc/passwd \"$1/users\"; echo content >\"$1/file\"", "{directory}")]);
        Assert.Contains("users is a link", (await Assert.ThrowsAsync<CaptureException>(() => site.CaptureAsync())).Message, StringComparison.Ordinal);
    }

    private static byte[] Changed(byte[] content, int at)
    {
        var changed = (byte[])content.Clone();
        changed[at]++;
        return changed;
    }

    private static DatabaseConfig Of(string script, params string[] arguments) =>
        new("any", DatabaseKind.Command, null, null) { Command = ["/bin/sh", "-c", script, "sh", .. arguments], Within = TimeSpan.FromMinutes(5) };
}
