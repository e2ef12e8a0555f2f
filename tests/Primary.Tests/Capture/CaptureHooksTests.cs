using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Testing;
using Mirror.Testing.Databases;

namespace Mirror.Primary.Tests.Capture;

public sealed class CaptureHooksTests
{
    private const string Note = "printf '%s %s %s %s\\n' \"$MIRROR_PHASE\" \"$MIRROR_SITE\" \"$MIRROR_ROOT\" \"$MIRROR_OUTCOME\" >>\"$1\"";

    private static readonly TimeSpan within = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task They_are_run_around_a_primarys_capture_and_know_site_and_phase()
    {
        await using var site = await MakeAsync($"{Note}; echo frozen >\"$MIRROR_ROOT/state\"", $"{Note}; echo thawed >\"$MIRROR_ROOT/state\"");
        await using (var role = await site.EnterAsync())
        {
            Assert.NotNull(role.Newest);
        }

        Assert.Equal([$"before wiki {site.Root} ", $"after wiki {site.Root} captured"], Noted(site).Take(2));
        Assert.False(File.Exists(CaptureHooks.MarkOf(site.Spool)));
        Assert.Equal("thawed\n", File.ReadAllText(Path.Combine(site.Root, "state")));

        // What was captured is what was there in between: of the first version only its hash is left to compare.
        var first = site.Store.Versions[0].Record.Id;
        var expected = Shell.Run("echo frozen | sha256sum")[..64];
        Assert.Equal(expected, site.Store.ManifestOf(first).Entries.Single(entry => entry.Path.ToString() == "state").Hash.ToString());
    }

    [Theory]
    [InlineData("exit 7", "exit code 7")]
    [InlineData("echo cannot freeze >&2; false", "exit code 1: cannot freeze")]
    public async Task A_failing_before_captures_nothing_and_after_is_run_all_the_same(string script, string says)
    {
        await using var site = await MakeAsync(script, Note);
        var captured = false;

        var failure = await Assert.ThrowsAsync<CaptureException>(() => Hooks(site).AroundAsync(() => Task.FromResult(captured = true), CancellationToken.None));

        Assert.Contains("The hook `before` of wiki failed", failure.Message, StringComparison.Ordinal);
        Assert.Contains(says, failure.Message, StringComparison.Ordinal);
        Assert.False(captured);
        Assert.Equal([$"after wiki {site.Root} failed"], Noted(site));
    }

    [Fact]
    public async Task A_before_that_is_late_is_killed_captures_nothing_and_after_has_a_time_of_its_own()
    {
        var time = new FakeTimeProvider();
        var sleep = "sleep " + Processes.OwnSeconds();
        await using var site = await MakeAsync(sleep, Note);
        var hooks = new CaptureHooks(site.Config, site.Root, CaptureHooks.MarkOf(site.Spool), time);
        var captured = false;
        var around = hooks.AroundAsync(() => Task.FromResult(captured = true), CancellationToken.None);
        await Processes.UntilAsync(sleep, 1);

        time.Advance(within);

        Assert.Contains("The hook `before` of wiki failed: sh was still running after 2m, and was killed", (await Assert.ThrowsAsync<CaptureException>(() => around)).Message, StringComparison.Ordinal);
        Assert.False(captured);
        Assert.Equal([$"after wiki {site.Root} failed"], Noted(site));
        await Processes.UntilNoneAsync(sleep);
    }

    [Fact]
    public async Task After_is_run_when_the_capture_fails_and_when_it_is_given_up()
    {
        await using var site = await MakeAsync("true", Note);
        using var giveUp = new CancellationTokenSource();
        await Assert.ThrowsAsync<CaptureException>(() => Hooks(site).AroundAsync<bool>(() => throw new CaptureException("the tree is gone"), CancellationToken.None));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Hooks(site).AroundAsync(async () =>
        {
            await giveUp.CancelAsync();
            giveUp.Token.ThrowIfCancellationRequested();
            return true;
        }, giveUp.Token));

        Assert.Equal([$"after wiki {site.Root} failed", $"after wiki {site.Root} failed"], Noted(site));
    }

    [Fact]
    public async Task A_failing_after_fails_the_capture_says_both_and_is_tried_again()
    {
        await using var site = await MakeAsync("true", $"{Note}; [ -e \"$1.may\" ] || {{ echo still frozen >&2; exit 1; }}");

        var alone = await Assert.ThrowsAsync<CaptureException>(() => Hooks(site).AroundAsync(() => Task.FromResult(true), CancellationToken.None));
        Assert.Contains("The hook `after` of wiki failed: sh ended with exit code 1: still frozen", alone.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<CaptureException>(() => Hooks(site).AroundAsync(() => Task.FromResult(true), CancellationToken.None));
        File.WriteAllText(site.Files["noted.may"], "");

        // Owed from before, also to another process: this one knows it from the mark alone.
        Assert.True(await Hooks(site).AroundAsync(() => Task.FromResult(true), CancellationToken.None));

        Assert.Equal(["captured", "interrupted", "interrupted", "captured"], Noted(site).Select(line => line.Split(' ')[^1]));
    }

    [Fact]
    public async Task Both_failures_are_in_the_message()
    {
        await using var site = await MakeAsync("exit 7", "exit 8");
        var failure = await Assert.ThrowsAsync<CaptureException>(() => Hooks(site).AroundAsync(() => Task.FromResult(true), CancellationToken.None));
        Assert.Contains("exit code 7", failure.Message, StringComparison.Ordinal);
        Assert.Contains("exit code 8", failure.Message, StringComparison.Ordinal);
    }

    private static CaptureHooks Hooks(LiveSite site) => new(site.Config, site.Root, CaptureHooks.MarkOf(site.Spool), TimeProvider.System);

    private static string[] Noted(LiveSite site) => File.Exists(site.Files["noted"]) ? File.ReadAllLines(site.Files["noted"]) : [];

    private static async Task<LiveSite> MakeAsync(string before, string after)
    {
        var site = await LiveSite.MakeAsync();
        string[] Script(string text) => ["/bin/sh", "-c", text, "sh", site.Files["noted"]];
        site.Config = site.Config with { Hooks = new HooksConfig(Script(before), Script(after), within) };
        return site;
    }
}
