using System.Net.Sockets;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Tree;

public sealed class TreeScannerTests : IDisposable
{
    private readonly TemporaryDirectory temporary = new();

    public void Dispose() => temporary.Dispose();

    [Fact]
    public void A_directory_comes_just_before_all_it_holds()
    {
        TreeLiteral.Empty.File("a/z", "").File("a-b", "").File("a.b", "").File("ab/c", "").File("a/b/c", "").File("A", "").WriteTo(temporary["t"]);

        Assert.Equal(["", "A", "a", "a/b", "a/b/c", "a/z", "a-b", "a.b", "ab", "ab/c"], Paths(temporary["t"]));
    }

    [Fact]
    public void The_root_may_be_a_link_and_no_other_link_is_followed()
    {
        TreeLiteral.Empty.File("inner/f", "").Symlink("loop", ".").Symlink("inner/up", "..").WriteTo(temporary["t"]);
        File.CreateSymbolicLink(temporary["current"], "t");

        Assert.Equal(["", "inner", "inner/f", "inner/up", "loop"], Paths(temporary["current"]));
    }

    [Fact]
    public async Task A_name_that_other_files_come_to_all_the_time_is_told_as_one_of_them()
    {
        TreeLiteral.Empty.File("open", "1").File("closed", "2").WriteTo(temporary["beside"]);
        File.SetUnixFileMode(temporary["beside/open"], UnixFileMode.UserRead | UnixFileMode.OtherRead);
        File.SetUnixFileMode(temporary["beside/closed"], UnixFileMode.UserRead);
        Shell.Run("setfattr -n user.who -v open \"$1/open\"; setfattr -n user.who -v closed \"$1/closed\"", temporary["beside"]);
        Directory.CreateDirectory(temporary["t"]);
        File.CreateSymbolicLink(temporary["t/x"], "first");
        using var over = new CancellationTokenSource();
        var swaps = 0;
        var swapping = Task.Run(() =>
        {
            for (; !over.IsCancellationRequested; swaps++)
            {
                switch (swaps % 3)
                {
                    case 0: HardLink.Create(temporary["beside/open"], temporary["next"]); break;
                    case 1: HardLink.Create(temporary["beside/closed"], temporary["next"]); break;
                    default: File.CreateSymbolicLink(temporary["next"], "beside/open"); break;
                }

                File.Move(temporary["next"], temporary["t/x"], overwrite: true);
            }
        });

        var kinds = new HashSet<string>();
        for (var scan = 0; scan < 5_000 || (kinds.Count < 4 && scan < 50_000); scan++)
        {
            if (Scan(temporary["t"]).Entries.SingleOrDefault(static found => !found.Entry.Path.IsRoot)?.Entry is { } entry)
            {
                var who = entry.Xattrs.Count == 0 ? "" : System.Text.Encoding.UTF8.GetString(entry.Xattrs[0].Value);
                kinds.Add($"{entry.Type} {(entry.Type == EntryType.File ? Convert.ToString(entry.Mode, 8) : "")} {who} {System.Text.Encoding.UTF8.GetString(entry.LinkTarget)}");
            }
        }

        await over.CancelAsync();
        await swapping;
        Assert.Subset(new HashSet<string>(["File 404 open ", "File 400 closed ", "Symlink   first", "Symlink   beside/open"]), kinds);
        Assert.True(kinds.Count > 2 && swaps > 10, $"{swaps} swaps, {kinds.Count} kinds");
    }

    [Fact]
    public void A_root_that_is_no_directory_is_refused()
    {
        File.WriteAllText(temporary["file"], "");

        Assert.Throws<DirectoryNotFoundException>(() => Scan(temporary["file"]));
        Assert.Throws<DirectoryNotFoundException>(() => Scan(temporary["absent"]));
    }

    [Fact]
    public void What_is_excluded_is_left_out_with_all_below_and_leads_no_hard_links()
    {
        TreeLiteral.Empty.File("cache/first", "x").Hardlink("second", "cache/first").Hardlink("third", "second").File("keep", "").WriteTo(temporary["t"]);

        var scan = TreeScanner.Scan(temporary["t"], (path, type) => type == EntryType.Directory && path == EntryPath.Parse("cache"), CancellationToken.None);

        Assert.Equal(["", "keep", "second", "third"], scan.Entries.Select(found => found.Entry.Path.ToString()));
        Assert.Equal([null, null, null, EntryPath.Parse("second")], scan.Entries.Select(found => found.Entry.HardlinkOf));
    }

    [Fact]
    public void A_later_name_of_a_file_repeats_what_the_first_says()
    {
        TreeLiteral.Empty.File("a", "x", "0640").Xattr("a", "user.k", "v").Hardlink("b", "a").WriteTo(temporary["t"]);

        var scan = Scan(temporary["t"]);

        var (first, second) = (scan.Entries[1], scan.Entries[2]);
        Assert.Equal(first.Entry with { Path = second.Entry.Path, HardlinkOf = first.Entry.Path }, second.Entry);
        Assert.Equal(first.Stat, second.Stat);
    }

    [Fact]
    public void Sockets_are_skipped_and_said_so()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(temporary["s"]));

        var scan = Scan(temporary.Path);

        Assert.Single(scan.Entries);
        Assert.Equal(EntryPath.Parse("s"), Assert.Single(scan.Skipped).Path);
    }

    [Fact]
    public void Other_file_systems_are_skipped_and_said_so()
    {
        var scan = TreeScanner.Scan("/", (path, _) => path != EntryPath.Parse("proc"), CancellationToken.None);

        Assert.True(Assert.Single(scan.Entries).Entry.Path.IsRoot);
        Assert.Equal(EntryPath.Parse("proc"), Assert.Single(scan.Skipped).Path);
    }

    [RootFact]
    public void What_may_not_be_read_is_unknown_and_so_is_all_below()
    {
        TreeLiteral.Empty.File("closed/inner", "").File("secret", "x", "0600").File("open", "x").File("sealed/known-name", "").WriteTo(temporary["t"]);
        Shell.Run("chmod 755 \"$1\" \"$2\"; chmod 700 \"$2/closed\"; chmod 744 \"$2/sealed\"", temporary.Path, temporary["t"]);

        TreeScan? scan = null;
        UnprivilegedThread.Run(() => scan = Scan(temporary["t"]));

        Assert.Equal(["", "open", "sealed"], scan!.Entries.Select(found => found.Entry.Path.ToString()));
        Assert.Equal(["closed", "sealed/known-name", "secret"], scan.Unreadable.Select(found => found.Path.ToString()));
    }

    [RootFact]
    public void A_root_that_may_not_be_listed_is_an_error_not_an_empty_tree()
    {
        Shell.Run("chmod 755 \"$1\"; mkdir -m 711 \"$2\"", temporary.Path, temporary["t"]);

        Assert.Throws<UnauthorizedAccessException>(() => UnprivilegedThread.Run(() => Scan(temporary["t"])));
    }

    [Fact]
    public void A_forged_time_does_not_hide_a_change()
    {
        TreeLiteral.Empty.File("f", "old").WriteTo(temporary["t"]);
        var before = TreeScanner.Stat(temporary["t"], EntryPath.Parse("f"));

        Shell.Run("touch -r \"$1\" ref; printf new > \"$1\"; touch -r ref \"$1\"; rm ref".Replace("ref", "\"$1.ref\"", StringComparison.Ordinal), temporary["t/f"]);

        var after = TreeScanner.Stat(temporary["t"], EntryPath.Parse("f"));
        Assert.Equal((before!.Value.Size, before.Value.MtimeNs, before.Value.Inode), (after!.Value.Size, after.Value.MtimeNs, after.Value.Inode));
        Assert.NotEqual(before, after);
    }

    [Fact]
    public void The_stat_of_one_path_is_that_of_the_scan_and_null_when_it_is_gone()
    {
        TreeLiteral.Empty.File("d/f", "").Symlink("l", "d").Symlink("d/dangling", "x").WriteTo(temporary["t"]);

        foreach (var found in Scan(temporary["t"]).Entries)
        {
            Assert.Equal(found.Stat, TreeScanner.Stat(temporary["t"], found.Entry.Path));
        }

        Assert.Null(TreeScanner.Stat(temporary["t"], EntryPath.Parse("absent")));
        Assert.Null(TreeScanner.Stat(temporary["t"], EntryPath.Parse("absent/below")));
        Assert.Null(TreeScanner.Stat(temporary["t"], EntryPath.Parse("d/f/below")));
        Assert.Null(TreeScanner.Stat(temporary["t"], EntryPath.Parse("l/f")));
    }

    [Fact]
    public void Reading_follows_no_link_and_waits_for_no_pipe()
    {
        TreeLiteral.Empty.File("d/f", "content").Symlink("to-file", "d/f").Symlink("to-directory", "d").Fifo("pipe").WriteTo(temporary["t"]);

        using (var reader = new StreamReader(TreeScanner.OpenRead(temporary["t"], EntryPath.Parse("d/f"))))
        {
            Assert.Equal("content", reader.ReadToEnd());
        }

        foreach (var path in (string[])["to-file", "to-directory/f", "pipe", "d"])
        {
            Assert.ThrowsAny<IOException>(() => TreeScanner.OpenRead(temporary["t"], EntryPath.Parse(path)).Dispose());
        }

        Assert.Throws<FileNotFoundException>(() => TreeScanner.OpenRead(temporary["t"], EntryPath.Parse("absent")));
    }

    [Fact]
    public void Without_openat2_a_path_resolves_to_the_same_and_links_are_refused_too()
    {
        TreeLiteral.Empty.File("d/e/f", "content").Symlink("d/link", "e").Symlink("d/e/file-link", "f").WriteTo(temporary["t"]);
        using var tree = new TreeHandle(temporary["t"]);

        Assert.Equal(Inode(tree.Open("d/e/f"u8, Posix.ReadOnly)), Inode(TreeHandle.OpenByComponents(tree.Descriptor, "d/e/f"u8, Posix.ReadOnly)));
        foreach (var path in (string[])["d/link/f", "d/e/file-link", "d/absent/f", "d/e/f/g"])
        {
            var bytes = EntryPath.Parse(path).Bytes;
            var quick = tree.Open(bytes, Posix.ReadOnly);
            var slow = TreeHandle.OpenByComponents(tree.Descriptor, bytes, Posix.ReadOnly);
            Assert.True(quick < 0 && slow < 0, path);
        }

        static ulong Inode(int descriptor)
        {
            Assert.True(descriptor >= 0 && Posix.Stat(descriptor, out FileStat stat) >= 0 && stat.Inode != 0);
            Posix.Stat(descriptor, out stat);
            Posix.Close(descriptor);
            return stat.Inode;
        }
    }

    [Fact]
    public async Task A_tree_that_changes_under_the_walk_never_breaks_it()
    {
        var root = temporary.Make("t");
        using var over = new CancellationTokenSource();
        var turmoil = Task.Run(() =>
        {
            for (var turn = 0; !over.IsCancellationRequested; turn++)
            {
                var path = Path.Combine(root, $"x{turn % 7}");
                switch (turn % 5)
                {
                    case 0: Directory.CreateDirectory(Path.Combine(path + "d", "inner")); break;
                    case 1: File.WriteAllText(path, "x"); break;
                    case 2: File.Delete(path); break;
                    case 3 when Directory.Exists(path + "d"): Directory.Delete(path + "d", recursive: true); break;
                    default: File.CreateSymbolicLink(path + $"l{turn}", "/"); File.Delete(path + $"l{turn}"); break;
                }
            }
        });

        for (var turn = 0; turn < 300; turn++)
        {
            var scan = Scan(root);
            var paths = scan.Entries.Select(found => found.Entry.Path).ToList();
            Assert.Equal(paths.Order(), paths);
            Assert.All(paths, path => Assert.True(path.IsRoot || paths.Contains(path.Parent)));
        }

        await over.CancelAsync();
        await turmoil;
    }

    private static TreeScan Scan(string root) => TreeScanner.Scan(root, static (_, _) => false, CancellationToken.None);

    private static IEnumerable<string> Paths(string root) => Scan(root).Entries.Select(static found => found.Entry.Path.ToString());
}
