using System.Text;
using Mirror.Primary.Watch;
using Mirror.Store.Manifests;
using Mirror.Testing;

namespace Mirror.Primary.Tests.Watch;

/// <summary>Whatever happens to a tree, and however fast: who looks where the watcher says knows the tree.</summary>
public sealed class NothingMissedTests : IDisposable
{
    // MIRROR_LONG=1 does it more often.
    private static readonly int turns = System.Environment.GetEnvironmentVariable("MIRROR_LONG") == "1" ? 20_000 : 2_000;

    /// <summary>So many turns are worked ahead of who looks: fewer than the kernel's queue for inotify holds, however slow who looks may be on a busy machine.</summary>
    private const int mostAhead = 500;

    private readonly TemporaryDirectory files = new();
    private readonly string root;

    public NothingMissedTests() => root = files.Make("site");

    public static IEnumerable<object[]> Kinds => WatchKinds.All;

    public void Dispose() => files.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Of_20_000_changes_at_once_every_one_is_told(string kind)
    {
        const int Directories = 100;
        const int Each = 200;
        for (var directory = 0; directory < Directories; directory++)
        {
            Directory.CreateDirectory($"{root}/{directory}");
        }

        using var watcher = await WatchKinds.StandingAsync(kind, root);
        var told = new HashSet<EntryPath>();
        for (var directory = 0; directory < Directories; directory++)
        {
            for (var file = 0; file < Each; file++)
            {
                File.Create($"{root}/{directory}/{file}").Dispose();
            }

            // Somebody takes now and then, as a capture would; the kernel's queue for inotify is bounded, and this machine may be busy.
            var touched = watcher.Take();
            Assert.False(touched.Everything);
            told.UnionWith(touched.Paths);
        }

        told.UnionWith(watcher.Take().Paths);
        var missed = from directory in Enumerable.Range(0, Directories)
                     from file in Enumerable.Range(0, Each)
                     let path = EntryPath.Parse($"{directory}/{file}")
                     where !told.Contains(path)
                     select path;
        Assert.Empty(missed);
    }

    /// <summary>The kernel has no words for where that is; fanotify tells of the whole file system.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_happens_elsewhere_however_deep_is_nothing_and_inside_it_is_looked_for(string kind)
    {
        const string Dig = """cd "$1"; name=$(printf 'd%.0s' $(seq 200)); for i in $(seq 25); do mkdir "$name"; cd "$name"; done; : > file""";
        using var watcher = await WatchKinds.StandingAsync(kind, root);
        Shell.Run(Dig, files.Make("elsewhere"));
        Assert.True(watcher.Take().IsEmpty);
        if (kind == WatchKinds.Fanotify)
        {
            Shell.Run(Dig, root);
            Assert.True(watcher.Take().Everything);
        }

        Shell.Run("rm -r \"$1\" \"$2\"", files["elsewhere"], root);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_copied_tree_is_told_to_its_last_entry(string kind)
    {
        Shell.Run("""mkdir "$1"; cd "$1"; for d in $(seq 600); do mkdir -p "$((d % 20))/$d/deep"; touch "$((d % 20))/$d/"{a,b,deep/c}; done""", files["from"]);
        using var watcher = await WatchKinds.StandingAsync(kind, root);
        var followed = new FollowedTree(root);
        followed.Follow(TouchedPaths.All);
        await WhileFollowingAsync(watcher, followed, _ => Shell.Run("""cp -r "$1" "$2/copy" """, files["from"], root));
        Assert.InRange(followed.FullLooks, 1, 2);
        followed.IsTheTreeAsItIs();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Files_made_at_once_in_directories_made_just_now_are_told_every_time(string kind)
    {
        using var watcher = await WatchKinds.StandingAsync(kind, root);
        var followed = new FollowedTree(root);
        followed.Follow(TouchedPaths.All);
        await WhileFollowingAsync(watcher, followed, next =>
        {
            for (var turn = 0; turn < turns; turn++)
            {
                next();
                var directory = $"{root}/{turn % 50}/{turn}/below";
                Directory.CreateDirectory(directory);
                File.WriteAllBytes($"{directory}/file", [1]);
                File.WriteAllBytes($"{directory}/../other", [1]);
                File.AppendAllText($"{directory}/file", "more");
            }
        });
        Assert.InRange(followed.FullLooks, 1, 2);
        followed.IsTheTreeAsItIs();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Any_operations_in_any_order_while_somebody_looks_are_told(string kind)
    {
        using var watcher = await WatchKinds.StandingAsync(kind, root);
        var followed = new FollowedTree(root);
        followed.Follow(TouchedPaths.All);
        const int Seed = 20260;
        await WhileFollowingAsync(watcher, followed, next => Operate(new Random(Seed), 20_000, next));
        followed.IsTheTreeAsItIs();

        // A directory may be moved on before it is found where it was: then everything is looked at for once, and this has to stay rare.
        Assert.InRange(followed.FullLooks, 1, 2 + (followed.Looks / 5));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_full_directory_that_was_renamed_is_followed(string kind)
    {
        Directory.CreateDirectory($"{root}/old/deep/deeper");
        await File.WriteAllTextAsync($"{root}/old/deep/deeper/file", "before");
        using var watcher = await WatchKinds.StandingAsync(kind, root);
        await File.WriteAllTextAsync($"{root}/old/deep/deeper/file", "known by its old path");
        Assert.Contains(EntryPath.Parse("old/deep/deeper/file"), watcher.Take().Paths);

        Directory.Move($"{root}/old", $"{root}/new");
        var moved = watcher.Take();
        Assert.Contains(EntryPath.Parse("old"), moved.Paths);
        Assert.Contains(EntryPath.Parse("new"), moved.Subtrees);

        await File.WriteAllTextAsync($"{root}/new/deep/deeper/file", "after");
        Directory.CreateDirectory($"{root}/new/deep/made");
        await File.WriteAllTextAsync($"{root}/new/deep/made/file", "after");
        var after = watcher.Take();
        Assert.False(after.Everything);
        Assert.Contains(EntryPath.Parse("new/deep/deeper/file"), after.Paths);
        Assert.Contains(EntryPath.Parse("new/deep/made"), after.Subtrees);
        Assert.DoesNotContain(after.Paths, static path => path.IsWithin(EntryPath.Parse("old")));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Two_directories_that_changed_places_are_followed(string kind)
    {
        Directory.CreateDirectory($"{root}/a/in");
        Directory.CreateDirectory($"{root}/b/in");
        using var watcher = await WatchKinds.StandingAsync(kind, root);
        Shell.Run("""cd "$1"; mv a c; mv b a; mv c b""", root);
        var swapped = watcher.Take();
        Assert.True(swapped.Everything || swapped.Subtrees.IsSupersetOf([EntryPath.Parse("a"), EntryPath.Parse("b")]));
        await UntilPreciseAsync(watcher);
        await File.WriteAllTextAsync($"{root}/a/in/file", "");
        var after = watcher.Take();
        Assert.Contains(EntryPath.Parse("a/in/file"), after.Paths);
        Assert.DoesNotContain(EntryPath.Parse("b/in/file"), after.Paths);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Names_that_are_no_text_are_told_byte_by_byte(string kind)
    {
        using var watcher = await WatchKinds.StandingAsync(kind, root);
        Shell.Run("""cd "$1"; mkdir $'d\xff\xfe'; touch $'d\xff\xfe/f\xc3' $'line\nfeed' ' (deleted)'""", root);
        var first = watcher.Take();
        Assert.Contains(EntryPath.Parse([.. "d"u8, 0xff, 0xfe]), first.Subtrees);
        Assert.Contains(EntryPath.Parse("line\nfeed"), first.Paths);
        Shell.Run("""cd "$1"; touch $'d\xff\xfe/f\xc3'; mkdir 'x (deleted)'; """, root);
        Assert.Contains(EntryPath.Parse([.. "d"u8, 0xff, 0xfe, .. "/f"u8, 0xc3]), watcher.Take().Paths);
        await File.WriteAllTextAsync($"{root}/x (deleted)/file", "");
        Assert.Contains(EntryPath.Parse("x (deleted)/file"), watcher.Take().Paths);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Every_kind_of_change_is_told(string kind)
    {
        Shell.Run("""cd "$1"; mkdir d; touch d/{content,mode,time,gone,from,linked,attribute}""", root);
        using var watcher = await WatchKinds.StandingAsync(kind, root);
        foreach (var (script, path) in new (string, string)[]
        {
            ("echo >> d/content", "d/content"), ("chmod 600 d/mode", "d/mode"), ("touch -d 2001-01-01 d/time", "d/time"), ("rm d/gone", "d/gone"),
            ("mv d/from d/to", "d/from"), ("mv d/to d/back", "d/back"), ("ln d/linked d/second", "d/second"), ("ln -s nowhere d/symlink", "d/symlink"),
            ("mkfifo d/fifo", "d/fifo"), ("chmod 700 d", "d"), ("truncate -s 5 d/content", "d/content"), ("mv d e", "e"), ("rm -r e", "e"),
        })
        {
            Shell.Run($"""cd "$1"; {script}""", root);
            var touched = watcher.Take();
            Assert.False(touched.Everything, script);
            Assert.True(touched.Paths.Contains(EntryPath.Parse(path)), script);
        }
    }

    // Another thread works on the tree, and takes are made meanwhile and after.
    private static async Task WhileFollowingAsync(TreeWatcher watcher, FollowedTree followed, Action<Action> work)
    {
        using var room = new SemaphoreSlim(mostAhead);
        var made = 0;
        void Next()
        {
            room.Wait();
            Interlocked.Increment(ref made);
        }

        var working = Task.Factory.StartNew(() => work(Next), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        while (!working.IsCompleted)
        {
            using var done = new CancellationTokenSource();
            await Task.WhenAny(working, watcher.TouchedAsync(done.Token));
            await done.CancelAsync();
            var taken = Interlocked.Exchange(ref made, 0);
            followed.Follow(watcher.Take());
            if (taken > 0)
            {
                room.Release(taken);
            }
        }

        await working;
        followed.Follow(watcher.Take());
    }

    private static async Task UntilPreciseAsync(TreeWatcher watcher)
    {
        while (watcher.Take().Everything)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
        }
    }

    private void Operate(Random random, int operations, Action next)
    {
        for (var turn = 0; turn < operations; turn++)
        {
            next();
            var (from, to) = (Name(random), Name(random));
            try
            {
                switch (random.Next(12))
                {
                    case 0 or 1:
                        Directory.CreateDirectory(from);
                        break;
                    case 2 or 3 or 4:
                        File.WriteAllText(from, "text");
                        break;
                    case 5 or 6:
                        File.AppendAllText(from, "more");
                        break;
                    case 7 or 8:
                        if (Directory.Exists(from))
                        {
                            Directory.Move(from, to);
                        }
                        else
                        {
                            File.Move(from, to, overwrite: true);
                        }

                        break;
                    case 9:
                        File.Delete(from);
                        break;
                    case 10:
                        Directory.Delete(from, recursive: true);
                        break;
                    default:
                        File.SetUnixFileMode(from, (UnixFileMode)(0x180 | random.Next(0x40)) | UnixFileMode.UserExecute);
                        break;
                }
            }
            catch (Exception impossible) when (impossible is IOException or UnauthorizedAccessException)
            {
                // A directory where a file would have to be, and so on: the next operation is another one.
            }
        }
    }

    // Few names, so that they meet often.
    private string Name(Random random)
    {
        var name = new StringBuilder(root);
        for (var depth = random.Next(1, 5); depth > 0; depth--)
        {
            name.Append('/').Append((char)('a' + random.Next(5)));
        }

        return name.ToString();
    }
}
