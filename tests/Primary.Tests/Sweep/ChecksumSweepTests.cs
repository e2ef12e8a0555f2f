using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Primary.Sweep;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Sweep;

/// <summary>What changed without a trace is found and said, and nothing else is done about it.</summary>
public sealed class ChecksumSweepTests
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan quick = TimeSpan.FromMilliseconds(50);
    private static readonly EntryPath page = EntryPath.Parse("pages/start");

    private static readonly TreeLiteral tree = TreeLiteral.Empty.File("a", "1").File("pages/start", LiveSite.Noise(1, 3 << 20)).File("z", "3").File("empty", "");

    [Fact]
    public async Task A_rotten_file_is_reported_and_neither_captured_nor_mended_until_somebody_touches_it()
    {
        await using var site = await LiveSite.MakeAsync(tree);
        await site.CaptureAsync();
        await RotAsync(site);
        using var turn = new SemaphoreSlim(1, 1);
        using var leaving = new CancellationTokenSource();
        var sweep = Sweep(site, turn, site.Root);
        var (found, healed) = (Until(sweep, static so => so.Count > 0), Task.CompletedTask);
        sweep.Start(leaving.Token);

        await found.WaitAsync(patience);

        var finding = Assert.Single(sweep.Findings);
        Assert.Equal((page, SweepFault.Changed), (finding.Path, finding.Fault));
        Assert.Contains($"was {site.Store.HeadManifest.Find(page)!.Hash}", finding.Reason, StringComparison.Ordinal);
        await InTurnAsync(turn, async () =>
        {
            var again = await site.CaptureAsync();
            Assert.Equal((null, 0), (again.Version, again.FilesRead));
        });
        Assert.Equal(0x55, (await File.ReadAllBytesAsync(Path.Combine(site.Root, "pages/start")))[1000]);

        healed = Until(sweep, static so => so.Count == 0);
        Shell.Run("touch \"$1/pages/start\"", site.Root);
        await InTurnAsync(turn, async () => Assert.Equal(["pages/start"], LiveSite.Put(await site.CaptureAsync())));
        await healed.WaitAsync(patience);
        await leaving.CancelAsync();
        await sweep.DisposeAsync();
    }

    [Fact]
    public async Task Good_files_are_read_round_after_round_and_nothing_is_found()
    {
        await using var site = await LiveSite.MakeAsync(tree);
        await site.CaptureAsync();
        using var turn = new SemaphoreSlim(1, 1);
        using var leaving = new CancellationTokenSource();
        var rounds = new RoundsLog(3);
        var sweep = Sweep(site, turn, site.Root, rounds);
        sweep.Start(leaving.Token);

        await rounds.Done.WaitAsync(patience);

        Assert.Empty(sweep.Findings);
        Assert.All(rounds.Lines, line => Assert.Contains("4 files, 3145730 bytes", line, StringComparison.Ordinal));
        await leaving.CancelAsync();
        await sweep.DisposeAsync();
    }

    [Fact]
    public async Task A_restart_goes_on_where_it_was_and_remembers_what_was_found()
    {
        await using var site = await LiveSite.MakeAsync(tree);
        await site.CaptureAsync();
        await RotAsync(site);
        using var turn = new SemaphoreSlim(1, 1);
        using (var leaving = new CancellationTokenSource())
        {
            // The first file's share of a day is long: it is stopped while it waits for the second one.
            var first = Sweep(site, turn, site.Root, period: TimeSpan.FromDays(1));
            first.Start(leaving.Token);
            await leaving.CancelAsync();
            await first.DisposeAsync();
        }

        var state = SweepState.Read(site.Files["sweep"])!;
        Assert.InRange(state.Files, 0, 1);
        var found = new SweepFinding(page, SweepFault.Changed, "as before", site.Store.HeadManifest.Find(page)!.Hash, site.Store.StatKeys[page], DateTimeOffset.UnixEpoch);
        (state with { Position = page, Files = 3, Findings = [found] }).Write(site.Files["sweep"]);
        using var leavingAgain = new CancellationTokenSource();
        var rounds = new RoundsLog(1);
        var second = Sweep(site, turn, site.Root, rounds);
        second.Start(leavingAgain.Token);
        Assert.Equal(page, Assert.Single(second.Findings).Path);

        await rounds.Done.WaitAsync(patience);

        // Only what comes after the page was read to end this round.
        Assert.Contains("4 files", rounds.Lines[0], StringComparison.Ordinal);
        await leavingAgain.CancelAsync();
        await second.DisposeAsync();
        Assert.Equal(found.Seen, SweepState.Read(site.Files["sweep"])!.Findings[0].Seen);
        await File.WriteAllTextAsync(site.Files["sweep"], "{ \"Position\": 1 }");
        Assert.Null(SweepState.Read(site.Files["sweep"]));
    }

    [Fact]
    public async Task A_file_that_can_no_longer_be_read_is_found()
    {
        // A file of the kernel's stands for a bad disk: its stat is there, and reading its start is an I/O error.
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("mem", ""));
        await site.CaptureAsync();
        var mem = EntryPath.Parse("mem");
        await site.Store.RememberSourceAsync(
            new Dictionary<EntryPath, StatKey> { [mem] = TreeScanner.Stat("/proc/self", mem)!.Value }, new Dictionary<ContentHash, Mirror.Delta.BlockSignature>(), CancellationToken.None);
        using var turn = new SemaphoreSlim(1, 1);
        using var leaving = new CancellationTokenSource();
        var sweep = Sweep(site, turn, "/proc/self");
        var found = Until(sweep, static so => so.Count > 0);
        sweep.Start(leaving.Token);

        await found.WaitAsync(patience);

        Assert.Equal(SweepFault.Unreadable, Assert.Single(sweep.Findings).Fault);
        await leaving.CancelAsync();
        await sweep.DisposeAsync();
    }

    [Fact]
    public async Task What_was_touched_or_is_gone_is_a_matter_of_captures()
    {
        await using var site = await LiveSite.MakeAsync(tree);
        await site.CaptureAsync();
        site.Write("a", "2");
        File.Delete(Path.Combine(site.Root, "z"));
        using var turn = new SemaphoreSlim(1, 1);
        using var leaving = new CancellationTokenSource();
        var rounds = new RoundsLog(2);
        var sweep = Sweep(site, turn, site.Root, rounds);
        sweep.Start(leaving.Token);

        await rounds.Done.WaitAsync(patience);

        Assert.Empty(sweep.Findings);
        await leaving.CancelAsync();
        await sweep.DisposeAsync();
    }

    [Fact]
    public async Task The_role_tells_of_it()
    {
        await using var site = await LiveSite.MakeAsync(tree, files: static so => so with { Sweep = quick, Every = TimeSpan.FromDays(1) });
        await site.CaptureAsync();
        await RotAsync(site);
        await using var role = await site.EnterAsync();
        var before = role.Rotten;

        if (before.Count == 0)
        {
            await role.NewsAsync(new Store.Versions.VersionId(99, 1), before, default, CancellationToken.None).WaitAsync(patience);
        }

        Assert.Equal(page, Assert.Single(role.Rotten).Path);
    }

    /// <summary>Other content behind the same stat. Nobody can set a ctime, so the store is told that it was always the one the file has now.</summary>
    private static async Task RotAsync(LiveSite site)
    {
        var path = Path.Combine(site.Root, "pages/start");
        await using (var file = File.OpenWrite(path))
        {
            file.Position = 1000;
            file.WriteByte(0x55);
        }

        Shell.Run("touch -d @$2 \"$1\"", path, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{TreeLiteral.SomeTime / 1_000_000_000}.{TreeLiteral.SomeTime % 1_000_000_000:000000000}"));
        await site.Store.RememberSourceAsync(
            new Dictionary<EntryPath, StatKey> { [page] = TreeScanner.Stat(site.Root, page)!.Value }, new Dictionary<ContentHash, Mirror.Delta.BlockSignature>(), CancellationToken.None);
    }

    private static ChecksumSweep Sweep(LiveSite site, SemaphoreSlim turn, string root, ILogger? logger = null, TimeSpan? period = null) =>
        new("wiki", root, period ?? quick, new CapturedFiles(site.Store, turn), site.Files["sweep"], TimeProvider.System, logger ?? NullLogger.Instance);

    private static async Task Until(ChecksumSweep sweep, Func<IReadOnlyList<SweepFinding>, bool> reached)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        sweep.Changed += Look;
        Look();
        await done.Task;
        sweep.Changed -= Look;

        void Look()
        {
            if (reached(sweep.Findings))
            {
                done.TrySetResult();
            }
        }
    }

    private static async Task InTurnAsync(SemaphoreSlim turn, Func<Task> capture)
    {
        await turn.WaitAsync();
        try
        {
            await capture();
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Counts the rounds that were told.</summary>
    private sealed class RoundsLog(int rounds) : ILogger
    {
        private const int RoundDone = 3041;
        private readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public List<string> Lines { get; } = [];

        public Task Done => done.Task;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Id == RoundDone && Lines.Count < rounds)
            {
                Lines.Add(formatter(state, exception));
                if (Lines.Count == rounds)
                {
                    done.SetResult();
                }
            }
        }
    }
}
