using Mirror.Primary.Capture;
using Mirror.Primary.Watch;
using Mirror.Store.Manifests;
using Mirror.Testing;

namespace Mirror.Primary.Tests.Watch;

/// <summary>What is told, what is not, and what happens when the watch itself is in trouble.</summary>
public sealed class TreeWatcherTests : IDisposable
{
    private readonly TemporaryDirectory files = new();
    private readonly string root;

    public TreeWatcherTests() => root = files.Make("site");

    public static IEnumerable<object[]> Kinds => WatchKinds.All;

    public void Dispose() => files.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_happens_outside_the_root_is_not_told(string kind)
    {
        var outside = files.Make("site-not");
        Directory.CreateDirectory($"{outside}/deep");
        Directory.CreateDirectory($"{root}/goes");
        using var watcher = await WatchKinds.StandingAsync(kind, root);
        await File.WriteAllTextAsync($"{outside}/deep/file", "");
        await File.WriteAllTextAsync(files["beside"], "");
        Directory.Move($"{outside}/deep", $"{outside}/deeper");
        Assert.True(watcher.Take().IsEmpty);

        await File.WriteAllTextAsync($"{outside}/deeper/file", "");
        Directory.Move($"{outside}/deeper", $"{root}/came");
        Directory.Move($"{root}/goes", $"{outside}/went");
        var moved = watcher.Take();
        Assert.Equal([EntryPath.Parse("came")], moved.Subtrees);
        Assert.Equal([EntryPath.Parse("came"), EntryPath.Parse("goes")], moved.Paths.Where(static path => !path.IsRoot).Order());

        await File.WriteAllTextAsync($"{outside}/went/file", "");
        await File.WriteAllTextAsync($"{root}/came/file", "");
        Assert.Equal([EntryPath.Parse("came/file")], watcher.Take().Paths);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_is_left_out_is_not_told_but_writes_to_a_database_are(string kind)
    {
        Directory.CreateDirectory($"{root}/cache/deep");
        Directory.CreateDirectory($"{root}/.mirror/dumps");
        await File.WriteAllTextAsync($"{root}/site.db", "");
        using var watcher = await WatchKinds.StandingAsync(kind, root, new PathFilter(["site.db", "site.db-wal"], ["cache", "**/*.tmp"]));
        await File.WriteAllTextAsync($"{root}/cache/deep/file", "");
        Directory.CreateDirectory($"{root}/cache/new");
        await File.WriteAllTextAsync($"{root}/cache/new/file", "");
        await File.WriteAllTextAsync($"{root}/.mirror/dumps/dump", "");
        await File.WriteAllTextAsync($"{root}/work.tmp", "");

        // As a dump does.
        await using (new FileStream($"{root}/site.db", FileMode.Open, FileAccess.ReadWrite))
        {
        }

        File.SetUnixFileMode($"{root}/site.db", UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.True(watcher.Take().IsEmpty);
        await File.AppendAllTextAsync($"{root}/site.db", "row");
        Assert.Equal([EntryPath.Parse("site.db")], watcher.Take().Paths);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_database_in_a_directory_that_is_left_out_is_told_of_and_nothing_else_there(string kind)
    {
        Directory.CreateDirectory($"{root}/data/deep/cache");
        await File.WriteAllTextAsync($"{root}/data/deep/site.db", "");
        using var watcher = await WatchKinds.StandingAsync(kind, root, new PathFilter(["data/deep/site.db"], ["/data/"]));
        await File.WriteAllTextAsync($"{root}/data/file", "");
        await File.WriteAllTextAsync($"{root}/data/deep/file", "");
        await File.WriteAllTextAsync($"{root}/data/deep/cache/file", "");
        Directory.CreateDirectory($"{root}/data/deep/new");
        Assert.True(watcher.Take().IsEmpty);
        await File.AppendAllTextAsync($"{root}/data/deep/site.db", "row");
        Assert.Equal([EntryPath.Parse("data/deep/site.db")], watcher.Take().Paths);

        // Another one in its place, with the directory.
        Directory.Move($"{root}/data", files["away"]);
        Directory.Move(files["away"], $"{root}/data");
        Assert.Contains(EntryPath.Parse("data"), watcher.Take().Subtrees);
        await File.AppendAllTextAsync($"{root}/data/deep/site.db", "row");
        Assert.Equal([EntryPath.Parse("data/deep/site.db")], watcher.Take().Paths);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Reading_a_tree_touches_nothing(string kind)
    {
        await File.WriteAllTextAsync($"{root}/file", "text");
        Directory.CreateDirectory($"{root}/directory");
        using var watcher = await WatchKinds.StandingAsync(kind, root);
        Shell.Run("""cd "$1"; cat file; ls -lR; find . -type f -exec stat {} +""", root);
        Assert.True(watcher.Take().IsEmpty);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_touch_wakes_and_what_was_taken_does_not_wake_again(string kind)
    {
        using var watcher = await WatchKinds.StandingAsync(kind, root);
        var touched = watcher.TouchedAsync(CancellationToken.None);
        Assert.False(touched.IsCompleted);
        await File.WriteAllTextAsync($"{root}/file", "");
        await touched.WaitAsync(WatchKinds.Patience);
        Assert.Contains(EntryPath.Parse("file"), watcher.Take().Paths);
        Assert.False(watcher.TouchedAsync(CancellationToken.None).IsCompleted);
        Assert.True(watcher.Take().IsEmpty);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_root_that_is_removed_and_comes_back_is_watched_again(string kind)
    {
        using var watcher = await WatchKinds.StandingAsync(kind, root);
        Directory.Delete(root);
        await watcher.TouchedAsync(CancellationToken.None).WaitAsync(WatchKinds.Patience);
        Assert.True(watcher.Take().Everything);
        await UntilAsync(() => watcher.Degraded?.Contains($"\"{root}\" is not a directory", StringComparison.Ordinal) == true);

        Directory.CreateDirectory($"{root}/again");
        await UntilAsync(() => watcher.Degraded is null);
        await watcher.TouchedAsync(CancellationToken.None).WaitAsync(WatchKinds.Patience);
        Assert.True(watcher.Take().Everything);
        await File.WriteAllTextAsync($"{root}/again/file", "");
        Assert.Equal([EntryPath.Parse("again/file")], watcher.Take().Paths);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_root_that_is_another_directory_by_now_is_noticed_by_the_next_who_takes(string kind)
    {
        var first = files.Make("first");
        var second = files.Make("second");
        var link = files["current"];
        File.CreateSymbolicLink(link, first);
        using var watcher = await WatchKinds.StandingAsync(kind, link);
        Shell.Run("""ln -s "$2" "$1.new"; mv -T "$1.new" "$1" """, link, second);
        Assert.True(watcher.Take().Everything);
        await UntilAsync(() => !watcher.Take().Everything);
        await File.WriteAllTextAsync($"{first}/file", "");
        await File.WriteAllTextAsync($"{second}/new", "");
        Assert.Equal([EntryPath.Parse("new")], watcher.Take().Paths);
    }

    [Fact]
    public async Task More_than_the_queue_of_inotify_holds_is_one_full_look_and_then_all_is_as_before()
    {
        var holds = int.Parse(await File.ReadAllTextAsync("/proc/sys/fs/inotify/max_queued_events"), System.Globalization.CultureInfo.InvariantCulture);
        Directory.CreateDirectory($"{root}/deep");
        using var watcher = await WatchKinds.StandingAsync(WatchKinds.Inotify, root);
        watcher.WhileNobodyReads(() =>
        {
            for (var file = 0; file <= holds; file++)
            {
                File.WriteAllBytes($"{root}/{file % 5000}", []);
            }

            Directory.CreateDirectory($"{root}/deep/unseen");
        });
        await watcher.TouchedAsync(CancellationToken.None).WaitAsync(WatchKinds.Patience);
        Assert.True(watcher.Take().Everything);
        await UntilAsync(() => !watcher.Take().Everything);
        Assert.Null(watcher.Degraded);
        await File.WriteAllTextAsync($"{root}/deep/unseen/file", "");
        Assert.Equal([EntryPath.Parse("deep/unseen/file")], watcher.Take().Paths);
        Assert.False(watcher.TouchedAsync(CancellationToken.None).IsCompleted);
    }

    [Fact]
    public async Task Fewer_watches_than_directories_are_said_and_everything_is_looked_at()
    {
        Shell.Run("""cd "$1"; mkdir -p {1..20}/in""", root);
        using var watcher = WatchKinds.Open(WatchKinds.Inotify, root, mostWatches: 30);
        await watcher.TouchedAsync(CancellationToken.None).WaitAsync(WatchKinds.Patience);
        await UntilAsync(() => watcher.Degraded is not null);
        Assert.Contains("sysctl fs.inotify.max_user_watches=", watcher.Degraded, StringComparison.Ordinal);
        Assert.True(watcher.Take().Everything);

        // What is watched still wakes; where it was is no longer believed.
        var touched = watcher.TouchedAsync(CancellationToken.None);
        Assert.False(touched.IsCompleted);
        await File.WriteAllTextAsync($"{root}/file", "");
        await touched.WaitAsync(WatchKinds.Patience);
        Assert.True(watcher.Take().Everything);
    }

    [Fact]
    public async Task A_tree_nothing_can_watch_says_why_and_is_looked_at_once()
    {
        using var watcher = TreeWatcher.Open(
            root, PathFilter.Nothing, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, new WatchOptions(Fanotify: false, Inotify: false));
        await watcher.TouchedAsync(CancellationToken.None).WaitAsync(WatchKinds.Patience);
        Assert.NotNull(watcher.Degraded);
        Assert.True(watcher.Take().Everything);
        Assert.False(watcher.TouchedAsync(CancellationToken.None).IsCompleted);
    }

    [RootFact]
    public void Who_is_not_root_watches_by_inotify()
    {
        Shell.Run("""chmod 755 "$1"; chown -R "$3" "$2" """, files.Path, root, $"{UnprivilegedThread.SomeUser}");
        UnprivilegedThread.Run(() =>
        {
            var opener = new WatchOpener(root, new WatchScope(PathFilter.Nothing), new WatchOptions());
            using var source = opener.TryOpen(out _, out var why);
            Assert.Equal("inotify", source?.Name);
            Assert.Contains("fanotify needs root", why, StringComparison.Ordinal);
        });
    }

    [MountFact]
    public async Task Another_file_system_mounted_on_the_root_is_another_root()
    {
        using var watcher = await WatchKinds.StandingAsync(WatchKinds.Fanotify, root);
        Shell.Run("mount -t tmpfs none \"$1\"", root);
        try
        {
            Assert.True(watcher.Take().Everything);
            await UntilAsync(() => !watcher.Take().Everything);
            await File.WriteAllTextAsync($"{root}/file", "");
            Assert.Equal([EntryPath.Parse("file")], watcher.Take().Paths);
        }
        finally
        {
            // Watching holds nothing open.
            Shell.Run("umount \"$1\"", root);
        }
    }

    [MountFact]
    public async Task A_part_of_the_file_system_mounted_once_more_inside_is_watched_by_inotify()
    {
        var elsewhere = files.Make("elsewhere");
        Directory.CreateDirectory($"{root}/bound");
        Shell.Run("mount --bind \"$1\" \"$2\"", elsewhere, $"{root}/bound");
        try
        {
            using var watcher = TreeWatcher.Open(root, PathFilter.Nothing, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
            await UntilAsync(() => !watcher.Take().Everything);
            Assert.Equal("inotify", watcher.Source?.Name);
            await File.WriteAllTextAsync($"{elsewhere}/file", "");
            Assert.Equal([EntryPath.Parse("bound/file")], watcher.Take().Paths);
        }
        finally
        {
            Shell.Run("umount \"$1\"", $"{root}/bound");
        }
    }

    private static async Task UntilAsync(Func<bool> so)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!so())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < WatchKinds.Patience, "it did not become so");
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
        }
    }
}
