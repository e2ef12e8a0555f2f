using Mirror.Node.Configuration;
using Mirror.Store.Manifests;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Capture;

/// <summary>Hooks that write into the site they are run for, with a primary that captures on change.</summary>
public sealed class HookTouchesTests
{
    // Each run of `after` adds a line here, outside of the tree.
    private const string Count = "echo run >>\"$1\"; ";

    private static readonly TimeSpan patience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan rest = TimeSpan.FromSeconds(2);

    [Theory]
    [InlineData("echo frozen >\"$MIRROR_ROOT/state\"", "echo thawed >\"$MIRROR_ROOT/state\"", "state")]
    [InlineData("true", "echo line >>\"$MIRROR_ROOT/hooks.log\"", "hooks.log")]
    [InlineData("true", "mkdir -p \"$MIRROR_ROOT/backup/$(date +%s%N)/deep\"; echo x >\"$(ls -d \"$MIRROR_ROOT\"/backup/* | tail -1)/deep/file\"", "backup")]
    [InlineData("mkdir -p \"$MIRROR_ROOT/tmp\"; echo x >\"$MIRROR_ROOT/tmp/$$\"", "rm -r \"$MIRROR_ROOT/tmp\"; echo $$ >\"$MIRROR_ROOT/tmp.$$\"", "index")]
    public async Task What_they_write_is_in_a_version_and_calls_for_no_endless_row_of_captures(string before, string after, string written)
    {
        await using var site = await MakeAsync(before, after);
        await using var role = await site.EnterAsync();
        await RestAsync(site);
        var runs = Runs(site);

        site.Write("index", "changed");
        await UntilAsync(() => Runs(site) > runs);
        await RestAsync(site);

        // The change, and what the hooks of its capture did, and perhaps something of the test's own rest in between.
        Assert.InRange(Runs(site) - runs, 1, 6);
        Assert.NotNull(site.Store.HeadManifest.Find(EntryPath.Parse(written)));
        Assert.Equal(Shell.Run("sha256sum <\"$1/index\"", site.Root)[..64], site.Store.HeadManifest.Find(EntryPath.Parse("index"))!.Hash.ToString());
    }

    [Fact]
    public async Task What_the_app_writes_meanwhile_elsewhere_is_not_kept_waiting()
    {
        // The app, played by the hook: its third run is of the time in which the hooks' own habit is known.
        await using var site = await MakeAsync("true", "echo line >>\"$MIRROR_ROOT/log/hooks\"; [ $(wc -l <\"$1\") -ne 3 ] || echo app >\"$MIRROR_ROOT/app/page\"");
        await using var role = await site.EnterAsync();
        await RestAsync(site);
        for (var change = 0; Runs(site) < 3; change++)
        {
            var runs = Runs(site);
            site.Write("index", $"{change}");
            await UntilAsync(() => Runs(site) > runs);
        }

        await UntilAsync(() => site.Store.HeadManifest.Find(EntryPath.Parse("app/page")) is not null);
    }

    private static int Runs(LiveSite site) => File.Exists(site.Files["runs"]) ? File.ReadAllLines(site.Files["runs"]).Length : 0;

    private static async Task RestAsync(LiveSite site)
    {
        using var limit = new CancellationTokenSource(patience);
        for (var (seen, since) = (-1, TimeProvider.System.GetTimestamp()); TimeProvider.System.GetElapsedTime(since) < rest;)
        {
            if (Runs(site) is var now && now != seen)
            {
                (seen, since) = (now, TimeProvider.System.GetTimestamp());
            }

            Assert.True(seen < 40, $"{seen} captures, and no end of them");
            await Task.Delay(20, limit.Token);
        }
    }

    private static async Task UntilAsync(Func<bool> reached)
    {
        using var limit = new CancellationTokenSource(patience);
        while (!reached())
        {
            await Task.Delay(10, limit.Token);
        }
    }

    private static async Task<LiveSite> MakeAsync(string before, string after)
    {
        var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("index", "1").Directory("log").Directory("app").File("other/a", "1"));
        string[] Script(string text) => ["/bin/sh", "-c", text, "sh", site.Files["runs"]];
        site.Config = site.Config with { Hooks = new HooksConfig(Script(before), Script(Count + after), TimeSpan.FromMinutes(1)) };
        return site;
    }
}
