using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Schedule;

/// <summary>A whole primary by its schedule: what starts captures and what does not, and what it says of itself.</summary>
public sealed class RoleScheduleTests : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);
    private readonly CancellationTokenSource limit = new(TimeSpan.FromMinutes(5));
    private LiveSite site = null!;

    public async Task InitializeAsync() => site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("page", "1"));

    public async Task DisposeAsync() => await site.DisposeAsync();

    public void Dispose() => limit.Dispose();

    [Fact]
    public async Task A_schedule_alone_captures_what_changed_when_it_is_due_and_not_before()
    {
        var time = LiveSite.Later;
        await using var role = await site.EnterAsync(capture: CaptureConfig.Default with { OnChange = false, Every = TimeSpan.FromMinutes(5) }, time: time);
        Assert.Equal(time.GetUtcNow() + TimeSpan.FromMinutes(5), role.Status.Next!.Value.At);
        site.Write("page", "2");
        time.Advance(TimeSpan.FromMinutes(4.9));
        Assert.Equal(new VersionId(1, 1), role.Newest!.Id);

        var newer = role.NewerThanAsync(new(1, 1), limit.Token);
        while (!newer.IsCompleted)
        {
            // The loop may be on its way to its next look at the clock.
            time.Advance(TimeSpan.FromSeconds(10));
            await Task.WhenAny(newer, Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, limit.Token));
        }

        await newer;
        Assert.False(role.Status.OnChange);
        Assert.Equal("2", ContentOf(role));
    }

    [Fact]
    public async Task With_neither_changes_nor_schedule_only_who_asks_gets_a_capture()
    {
        await using var role = await site.EnterAsync(capture: CaptureConfig.Default with { OnChange = false });
        site.Write("page", "2");
        Assert.Null(role.Status.Next);
        Assert.False(role.Watching.IsCompleted);
        await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, limit.Token);
        Assert.Equal(new VersionId(1, 1), role.Newest!.Id);
        Assert.Equal(new VersionId(1, 2), (await role.CaptureNowAsync(false, limit.Token)).Made!.Id);
    }

    [Fact]
    public async Task In_a_quiet_time_changes_wait_and_who_asks_does_not()
    {
        // Any time but a day in the middle of the week that is not near.
        var far = 1 << (((int)TimeProvider.System.GetUtcNow().DayOfWeek + 3) % 7);
        await using var role = await site.EnterAsync(capture: CaptureConfig.Default with { NotBetween = [new WeekWindow(127 & ~far, 0, 1440)] });
        site.Write("page", "2");
        Assert.InRange(role.Status.QuietUntil!.Value - TimeProvider.System.GetUtcNow(), TimeSpan.FromDays(1.9), TimeSpan.FromDays(3.1));
        await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, limit.Token);
        Assert.Equal(new VersionId(1, 1), role.Newest!.Id);
        Assert.Equal(new VersionId(1, 2), (await role.CaptureNowAsync(false, limit.Token)).Made!.Id);
    }

    [Fact]
    public async Task It_says_what_the_last_capture_did()
    {
        await using var role = await site.EnterAsync(capture: CaptureConfig.Default with { OnChange = false });
        Assert.Equal((new VersionId(1, 1), null), (role.Status.Last!.Made!.Value, role.Status.Last.Failure));
        await role.CaptureNowAsync(false, limit.Token);
        Assert.Equal((null, null), (role.Status.Last!.Made, role.Status.Last.Failure));
        Directory.Delete(site.Root, recursive: true);
        await Assert.ThrowsAsync<CaptureException>(() => role.CaptureNowAsync(false, limit.Token));
        Assert.NotEmpty(role.Status.Last!.Failure!);
        Assert.False(role.Status.Running);
    }

    [Fact]
    public async Task Watching_ends_when_the_role_is_left_and_not_before()
    {
        foreach (var capture in new[] { CaptureConfig.Default, CaptureConfig.Default with { OnChange = false }, CaptureConfig.Default with { OnChange = false, Every = TimeSpan.FromHours(1) } })
        {
            var role = await site.EnterAsync(capture: capture);
            var watching = role.Watching;
            Assert.Same(watching, role.Watching);
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, limit.Token);
            Assert.False(watching.IsCompleted);
            await role.DisposeAsync();
            await watching.WaitAsync(patience);
        }
    }

    private string ContentOf(PrimaryRole role)
    {
        var entry = site.Store.ManifestOf(role.Newest!.Id).Entries.Single(entry => entry.Path.ToString() == "page");
        return entry.Hash == Store.Manifests.ContentHash.From(System.Security.Cryptography.SHA256.HashData("2"u8)) ? "2" : "something else";
    }
}
