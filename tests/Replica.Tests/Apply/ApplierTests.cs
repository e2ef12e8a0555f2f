using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;
using Mirror.Replica.Apply;
using Mirror.Replica.Receive;
using Mirror.Replica.Warm;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Replica.Tests.Apply;

/// <summary>A real store, a real guard, real apps. The app's health is a line in a file of the site, so that a version can be made that does not run.</summary>
public sealed class ApplierTests : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);
    private readonly SampleSite site = new();
    private VersionStore store = null!;
    private GuardClient? guard;
    private readonly Said said = new();
    private int published;

    public async Task InitializeAsync() => store = await site.OpenAsync();

    public async Task DisposeAsync()
    {
        if (guard is not null)
        {
            await guard.DisposeAsync();
        }

        await store.DisposeAsync();
    }

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task What_is_received_is_staged_made_current_and_told()
    {
        var (one, two, three) = (site.Add("1"), site.Add("2"), site.Add("3"));
        var running = Start(null);

        await running.ReceiveAsync(null, one);
        await running.ReceiveAsync(one, two);
        await running.ReceiveAsync(two, three);
        await UntilAsync(() => store.Current?.Id == three.Id);

        await running.Applier.AbortAsync(running.Loop);
        TreeAssert.Holds(site.TreeOf(three), store.CurrentTree!);
        Assert.Equal(three.Id, running.Applier.Warm);
        Assert.True(published >= 3);
    }

    [Fact]
    public async Task Many_versions_share_one_boot_and_finishing_applies_all_that_is_stored()
    {
        await UseGuardAsync();
        var versions = Enumerable.Range(0, 5).Select(number => site.Add(Healthy(200).File("n", $"{number}"))).ToList();
        var running = Start(TestApp());
        VersionRecord? from = null;
        foreach (var version in versions)
        {
            await running.ReceiveAsync(from, version, wake: false);
            from = version;
        }

        var apps = await running.Applier.FinishAsync(running.Loop).WaitAsync(patience);

        await using (apps)
        {
            Assert.Equal(versions[^1].Id, store.Current?.Id);
            Assert.Equal(store.CurrentTree, apps!.Tree);
            Assert.Single(apps.ProcessIds);
            Assert.Equal(1, Boots());
        }
    }

    [Fact]
    public async Task A_version_that_does_not_run_is_noted_and_never_current_and_the_next_one_that_runs_is()
    {
        await UseGuardAsync();
        var (good, bad, better) = (site.Add(Healthy(200)), site.Add(Broken()), site.Add(Healthy(200).File("fixed", "yes")));
        var running = Start(TestApp());
        await running.ReceiveAsync(null, good);
        await UntilAsync(() => running.Applier.Warm == good.Id);
        var before = running.Applier.Apps!;

        await running.ReceiveAsync(good, bad);
        await UntilAsync(() => NoteOf(bad).StartsWith("unhealthy: ", StringComparison.Ordinal));

        Assert.Contains("exit code 7", NoteOf(bad), StringComparison.Ordinal);
        Assert.Equal((good.Id, bad.Id, good.Id), (store.Current!.Id, store.Head!.Id, running.Applier.Warm));
        Assert.Same(before, running.Applier.Apps);
        Assert.False(before.Failed.IsCompleted);
        TreeAssert.Holds(site.TreeOf(good), store.CurrentTree!);

        await running.ReceiveAsync(bad, better);
        await UntilAsync(() => store.Current?.Id == better.Id);

        await running.Applier.AbortAsync(running.Loop);
        Assert.Null(running.Applier.Apps);
    }

    [Fact]
    public async Task That_a_version_does_not_run_and_cannot_even_be_noted_ends_nothing()
    {
        await store.DisposeAsync();
        using (var index = new SqliteConnection($"Data Source={Path.Combine(site.StoreDirectory, "index.db")};Pooling=False"))
        {
            index.Open();
            using var command = index.CreateCommand();
            command.CommandText = string.Concat(new[] { "INSERT", "UPDATE" }.Select(change =>
                $"CREATE TRIGGER no_{change} BEFORE {change} ON versions WHEN NEW.note LIKE 'unhealthy%' BEGIN SELECT RAISE(ABORT, 'no room'); END;"));
            command.ExecuteNonQuery();
        }

        store = await site.OpenAsync();
        await UseGuardAsync();
        var (good, bad, better) = (site.Add(Healthy(200)), site.Add(Broken()), site.Add(Healthy(200).File("fixed", "yes")));
        var running = Start(TestApp());
        await running.ReceiveAsync(null, good);
        await UntilAsync(() => running.Applier.Warm == good.Id);
        await running.ReceiveAsync(good, bad);
        await UntilAsync(() => running.Loop.IsCompleted || said.Events.Contains(4015));
        Assert.False(running.Loop.IsCompleted);

        await running.ReceiveAsync(bad, better);
        await UntilAsync(() => store.Current?.Id == better.Id);
        Assert.Equal("", NoteOf(bad));
        await running.Applier.AbortAsync(running.Loop);
    }

    [Fact]
    public async Task Apps_that_end_are_started_again_on_what_is_current_not_on_what_is_staged_beside_it()
    {
        await UseGuardAsync();
        var (good, bad) = (site.Add(Healthy(200)), site.Add(Broken()));
        var running = Start(TestApp());
        await running.ReceiveAsync(null, good);
        await UntilAsync(() => running.Applier.Warm == good.Id);
        await running.ReceiveAsync(good, bad);
        await UntilAsync(() => NoteOf(bad).Length > 0);
        var first = running.Applier.Apps!;

        using (var killed = Process.GetProcessById(first.ProcessIds[0]))
        {
            killed.Kill();
        }

        await UntilAsync(() => running.Applier.Apps is { } apps && apps != first);
        Assert.Equal(store.CurrentTree, running.Applier.Apps!.Tree);
        Assert.Equal(good.Id, running.Applier.Warm);
        Assert.Equal("", NoteOf(good));
        await running.Applier.AbortAsync(running.Loop);
    }

    [Fact]
    public async Task Finishing_on_a_version_that_does_not_run_says_so_and_leaves_nothing_running()
    {
        await UseGuardAsync();
        var (good, bad) = (site.Add(Healthy(200)), site.Add(Broken()));
        var running = Start(TestApp());
        await running.ReceiveAsync(null, good);
        await UntilAsync(() => running.Applier.Warm == good.Id);
        await running.ReceiveAsync(good, bad, wake: false);

        var refusal = await Assert.ThrowsAsync<StoreException>(() => running.Applier.FinishAsync(running.Loop).WaitAsync(patience));

        Assert.Contains("is not warm here", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(good.Id, store.Current!.Id);
        Assert.Null(running.Applier.Apps);
    }

    [Fact]
    public async Task A_pack_that_does_not_fit_the_tree_asks_for_a_fill_and_what_was_staged_stays()
    {
        var (one, two) = (site.Add("1"), site.Add("2"));
        var running = Start(null);
        await running.ReceiveAsync(null, one);
        await running.ReceiveAsync(one, two);
        await UntilAsync(() => store.Current?.Id == two.Id);
        var three = site.Add(TreeLiteral.Empty.File("big.bin", RandomNumberGenerator.GetBytes(500_000)));
        var pack = await site.PackAsync(two, three);
        DamageInTheMiddle(pack);
        File.Move(pack, running.Inbox.PartOf(two.Id, three.Id));

        running.Inbox.Accept(running.Inbox.PartOf(two.Id, three.Id));
        running.Applier.Wake();
        await UntilAsync(() => running.Applier.FillNeeded.IsCancellationRequested);

        Assert.Equal((two.Id, two.Id), (store.Head!.Id, store.Current!.Id));
        Assert.Equal(two.Id, running.Inbox.Stored.Id);
        Assert.Equal(two.Root, (await running.Applier.HoldStillAsync(CancellationToken.None)).Root);
        running.Applier.Filling();
        Assert.False(running.Applier.FillNeeded.IsCancellationRequested);
        await running.ReceiveAsync(null, three);
        await UntilAsync(() => store.Current?.Id == three.Id);
        await running.Applier.AbortAsync(running.Loop);
    }

    [Fact]
    public async Task A_fill_that_heals_the_current_version_is_flipped_to()
    {
        var one = site.Add("1");
        var running = Start(null);
        await running.ReceiveAsync(null, one);
        await UntilAsync(() => store.Current?.Id == one.Id);
        var damaged = store.CurrentTree!;
        File.WriteAllText(Path.Combine(damaged, "page.txt"), "rot");

        await running.ReceiveAsync(null, one);
        await UntilAsync(() => store.CurrentTree != damaged);

        TreeAssert.Holds(site.TreeOf(one), store.CurrentTree!);
        await running.Applier.AbortAsync(running.Loop);
    }

    [Fact]
    public async Task Aborting_in_the_middle_of_a_boot_leaves_what_is_current_whole_and_nothing_running()
    {
        await UseGuardAsync();
        var (good, slow) = (site.Add(Healthy(200)), site.Add(Healthy(500)));
        var running = Start(TestApp());
        await running.ReceiveAsync(null, good);
        await UntilAsync(() => running.Applier.Warm == good.Id);
        await running.ReceiveAsync(good, slow);
        await UntilAsync(() => Boots() == 2);

        await running.Applier.AbortAsync(running.Loop).WaitAsync(patience);

        Assert.Equal(good.Id, store.Current!.Id);
        TreeAssert.Holds(site.TreeOf(good), store.CurrentTree!);
        Assert.Null(running.Applier.Apps);
    }

    [Fact]
    public async Task A_tree_that_diverged_is_not_booted()
    {
        await UseGuardAsync();
        var one = site.Add(Healthy(200));
        await store.StageAsync(await site.PackAsync(null, one), null, CancellationToken.None);
        await store.FlipAsync(CancellationToken.None);
        await store.NoteAsync(one.Id, "diverged: a test says so", CancellationToken.None);
        Assert.True(store.IsDiverged);

        var running = Start(TestApp());
        await UntilAsync(() => published > 0);
        Assert.Null(running.Applier.Apps);
        Assert.Equal(default, running.Applier.Warm);
        await running.Applier.AbortAsync(running.Loop);

        Assert.Equal(0, Boots());
    }

    private sealed class Said : ILogger
    {
        public ConcurrentBag<int> Events { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Events.Add(eventId.Id);
    }

    private sealed record Running(SampleSite Site, Inbox Inbox, Applier Applier, Task Loop)
    {
        public async Task ReceiveAsync(VersionRecord? from, VersionRecord to, bool wake = true)
        {
            var part = Inbox.PartOf(from?.Id ?? default, to.Id);
            File.Move(await Site.PackAsync(from, to), part);
            Inbox.Accept(part);
            if (wake)
            {
                Applier.Wake();
            }
        }
    }

    private static TreeLiteral Healthy(int status) => TreeLiteral.Empty.File("status", $"{status}");

    private static TreeLiteral Broken() => TreeLiteral.Empty.File("broken", "");

    private static void DamageInTheMiddle(string pack)
    {
        var bytes = File.ReadAllBytes(pack);
        bytes[bytes.Length / 2] ^= 0xFF;
        File.WriteAllBytes(pack, bytes);
    }

    private string NoteOf(VersionRecord version) => store.Versions.FirstOrDefault(kept => kept.Record.Id == version.Id)?.Note ?? "";

    private string Describe() =>
        $"head {store.Head?.Id}, current {store.Current?.Id}, {Boots()} boots, notes {string.Join(", ", store.Versions.Select(kept => $"{kept.Record.Id}: {kept.Note}"))}";

    private int Boots() => File.Exists(site.Files["boots"]) ? File.ReadAllLines(site.Files["boots"]).Length : 0;

    private async Task UseGuardAsync() => guard = await GuardClient.StartAsync(
        ["dotnet", Host, "guard"], TimeSpan.FromSeconds(10), TimeProvider.System, CancellationToken.None);

    private static string Host => Path.Combine(AppContext.BaseDirectory, "Mirror.Testing.GuardHost.dll");

    private AppConfig TestApp() => new(
        "web", ["/bin/sh", "-c", $"echo boot >> '{site.Files["boots"]}'; test ! -e broken || exit 7; exec dotnet '{Host}' app --port={{port}} --status=$(cat status)"],
        new Dictionary<string, string>(), "/healthz", patience, TimeSpan.FromSeconds(5));

    private Running Start(AppConfig? app)
    {
        var files = new FilesConfig("/srv", [], TimeSpan.Zero, TimeSpan.Zero);
        var config = new SiteConfig(SampleSite.Name, "alpha", ["alpha", "beta"], ["alpha", "beta"], files, [], app is null ? [] : [app], [], [], false);
        var member = new MemberConfig("beta", MemberKind.Node, "127.0.0.1", 1, 2, site.Files["state"], [], TimeSpan.Zero, 0, new PortRange(23400, 23499));
        var inbox = new Inbox(store.InboxDirectory, store.Head);
        var apps = new SiteApps(config, member, guard!, TimeProvider.System);
        var warmer = new Warmer(config, store, apps, null, TimeProvider.System, NullLogger.Instance);
        var applier = new Applier(config, store, inbox, warmer, Publish, TimeProvider.System, said);
        return new Running(site, inbox, applier, applier.RunAsync());

        Task Publish()
        {
            Interlocked.Increment(ref published);
            return Task.CompletedTask;
        }
    }

    private async Task UntilAsync(Func<bool> condition)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(clock.Elapsed < patience, $"Waited too long; {Describe()}");
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }
    }
}
