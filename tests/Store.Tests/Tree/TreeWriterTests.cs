using CsCheck;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Tree;

public sealed class TreeWriterTests : IDisposable
{
    private readonly TemporaryDirectory temporary = new();

    public void Dispose() => temporary.Dispose();

    [Fact]
    public void A_slot_is_brought_to_the_next_version_and_its_sibling_does_not_change() => TreeGen.TreeAndNext.Sample(
        pair =>
        {
            using var directory = new TemporaryDirectory();
            pair.Before.WriteTo(directory["a"]);
            SlotWork.Clone(directory["a"], directory["b"], pair.Before.ToManifest());
            TreeAssert.Holds(pair.Before, directory["b"]);

            SlotWork.Bring(directory["b"], pair.Before, pair.After);

            TreeAssert.Holds(pair.After, directory["b"]);
            TreeAssert.Holds(pair.Before, directory["a"]);
        },
        iter: 60, threads: 1);

    [Fact]
    public void A_file_is_replaced_under_the_old_inode_s_feet()
    {
        var tree = TreeLiteral.Empty.File("f", "old");
        tree.WriteTo(temporary["t"]);
        using var reader = TreeScanner.OpenRead(temporary["t"], EntryPath.Parse("f"));

        Write(tree.File("f", "replaced"), "f");

        Assert.Equal("old", new StreamReader(reader).ReadToEnd());
        Assert.Equal("replaced", File.ReadAllText(temporary["t/f"]));
    }

    [Fact]
    public void A_file_that_is_given_up_leaves_nothing()
    {
        TreeLiteral.Empty.File("f", "old").WriteTo(temporary["t"]);
        using (var writer = new TreeWriter(temporary["t"]))
        {
            using var file = writer.BeginFile(Described("f", EntryType.File) with { Size = 3 });
            file.Content.Write("new"u8);
        }

        Assert.Equal(["f"], Names());
        Assert.Equal("old", File.ReadAllText(temporary["t/f"]));
    }

    [Fact]
    public void A_content_of_another_length_than_its_entry_says_is_not_put_in_place()
    {
        TreeLiteral.Empty.File("f", "old").WriteTo(temporary["t"]);
        using var writer = new TreeWriter(temporary["t"]);
        using (var file = writer.BeginFile(Described("f", EntryType.File) with { Size = 100 }))
        {
            file.Content.Write("short"u8);
            Assert.Contains("5 bytes", Assert.Throws<InvalidDataException>(file.Commit).Message, StringComparison.Ordinal);
        }

        Assert.Equal(["f"], Names());
        Assert.Equal("old", File.ReadAllText(temporary["t/f"]));
    }

    [Fact]
    public void Several_files_can_be_pending_and_rubbish_of_a_crash_is_in_nobodys_way()
    {
        var root = temporary.Make("t");
        File.WriteAllText(Path.Combine(root, ".mirror-tmp-0"), "left behind");
        File.WriteAllText(Path.Combine(root, ".mirror-tmp-1"), "left behind");
        using var writer = new TreeWriter(root);
        writer.Put(Described("d", EntryType.Directory));
        using var first = writer.BeginFile(Described("first", EntryType.File) with { Size = 1 });
        using var second = writer.BeginFile(Described("d/second", EntryType.File) with { Size = 2 });
        first.Content.Write("1"u8);
        second.Content.Write("22"u8);
        second.Commit();
        first.Commit();
        foreach (var path in (string[])["pipe", "linked"])
        {
            writer.Put(Described(path, EntryType.Fifo));
        }

        // A new writer counts from the start again.
        using var other = new TreeWriter(root);
        other.LinkFrom(root, EntryPath.Parse("first"), EntryPath.Parse("linked"));

        Assert.Equal([".mirror-tmp-0", ".mirror-tmp-1", "d", "first", "linked", "pipe"], Names());
        Assert.Equal("left behind", File.ReadAllText(Path.Combine(root, ".mirror-tmp-1")));
        Assert.Equal("1", File.ReadAllText(Path.Combine(root, "linked")));
        Assert.Equal(("1", "22"), (File.ReadAllText(Path.Combine(root, "first")), File.ReadAllText(Path.Combine(root, "d", "second"))));
    }

    [Fact]
    public void Nothing_is_written_linked_or_removed_through_a_link()
    {
        TreeLiteral.Empty.File("precious", "outside").WriteTo(temporary["outside"]);
        TreeLiteral.Empty.Symlink("way-out", "../outside").File("inside", "").WriteTo(temporary["t"]);
        var target = EntryPath.Parse("way-out/precious");
        using (var writer = new TreeWriter(temporary["t"]))
        {
            Assert.ThrowsAny<IOException>(() => writer.BeginFile(Described("way-out/precious", EntryType.File)));
            Assert.ThrowsAny<IOException>(() => writer.Put(Described("way-out/new", EntryType.Directory)));
            Assert.ThrowsAny<IOException>(() => writer.LinkFrom(temporary["t"], EntryPath.Parse("inside"), target));
            Assert.ThrowsAny<IOException>(() => writer.LinkFrom(temporary["t"], target, EntryPath.Parse("stolen")));
            Assert.ThrowsAny<IOException>(() => writer.FinishDirectories([Described("way-out", EntryType.Directory)]));
            writer.Remove(target);
            writer.Remove(EntryPath.Parse("way-out"));
        }

        TreeAssert.Holds(TreeLiteral.Empty.File("precious", "outside"), temporary["outside"]);
        Assert.Equal(["inside"], Names());
    }

    [Fact]
    public void A_directory_replaces_a_link_to_one()
    {
        TreeLiteral.Empty.File("precious", "outside").WriteTo(temporary["outside"]);
        TreeLiteral.Empty.Symlink("d", "../outside").WriteTo(temporary["t"]);
        var next = TreeLiteral.Empty.File("d/f", "inside");

        SlotWork.Bring(temporary["t"], TreeLiteral.Empty.Symlink("d", "../outside"), next);

        TreeAssert.Holds(next, temporary["t"]);
        TreeAssert.Holds(TreeLiteral.Empty.File("precious", "outside"), temporary["outside"]);
    }

    [Fact]
    public void Removing_takes_all_below_and_what_is_absent_is_fine()
    {
        TreeLiteral.Empty.File("d/e/f", "").Directory("d/closed", "0000").Symlink("d/link", "../keep").File("keep/f", "").WriteTo(temporary["t"]);
        using var writer = new TreeWriter(temporary["t"]);

        writer.Remove(EntryPath.Parse("d"));
        writer.Remove(EntryPath.Parse("d"));
        writer.Remove(EntryPath.Parse("keep/f/below"));
        writer.Remove(EntryPath.Parse("absent/below"));

        Assert.Equal(["keep"], Names());
        Assert.True(File.Exists(temporary["t/keep/f"]));
        Assert.Throws<ArgumentException>(() => writer.Remove(EntryPath.Root));
    }

    [Fact]
    public void Zeros_of_a_sparse_file_take_no_room_while_it_is_written()
    {
        const int Mebi = 1 << 20;
        var entry = Described("holes", EntryType.File) with { Size = (256L * Mebi) + 5, Sparse = true };
        using var writer = new TreeWriter(temporary.Path);
        using var file = writer.BeginFile(entry);
        var zeros = new byte[Mebi];
        for (var written = 0; written < 256; written++)
        {
            file.Content.Write(zeros);
        }

        file.Content.Write("tail!"u8);
        var blocks = long.Parse(Shell.Run("stat -c %b \"$1\"/.mirror-tmp-*", temporary.Path));
        file.Commit();

        Assert.InRange(blocks, 1, 64);
        var found = TreeScanner.Scan(temporary.Path, static (_, _) => false, CancellationToken.None).Entries[1].Entry;
        Assert.Equal((entry.Size, true), (found.Size, found.Sparse));
        Assert.Equal("tail!", Shell.Run("tail -c 5 \"$1\"", temporary["holes"]));
    }

    [Fact]
    public void A_time_that_the_file_system_cannot_keep_is_listed()
    {
        using var writer = new TreeWriter(temporary.Path);

        writer.Put(Described("old", EntryType.Fifo) with { MtimeUnixNs = long.MinValue });

        var kept = TreeScanner.Stat(temporary.Path, EntryPath.Parse("old"))!.Value.MtimeNs;
        Assert.Equal(kept == long.MinValue ? [] : [EntryPath.Parse("old")],
            writer.Unset.Where(static path => path.Reason.Contains("modification time", StringComparison.Ordinal)).Select(static path => path.Path));
    }

    [RootFact]
    public void Without_root_what_may_not_be_set_is_listed_and_all_else_is_written()
    {
        var tree = TreeLiteral.Empty
            .File("mine", "x", "4755")
            .File("given", "y").With("given", static entry => entry with { Uid = 1, Owner = "" })
            .Device("null", EntryType.CharacterDevice, 1, 3)
            .File("noted", "z").Xattr("noted", "trusted.note", "root's").Xattr("noted", "user.note", "anybody's")
            .File("read-only/deep/f", "f", "0444").Xattr("read-only/deep/f", "user.note", "on a read-only file")
            .Hardlink("read-only/second", "read-only/deep/f")
            .With("read-only/deep", static entry => entry with { Mode = 0x140 })
            .With("read-only", static entry => entry with { Mode = 0x140 });
        foreach (var path in tree.Nodes.Keys.Where(static path => path != EntryPath.Parse("given")))
        {
            tree = tree.With(path.ToString(), static entry => entry with { Uid = UnprivilegedThread.SomeUser, Owner = "", Gid = UnprivilegedThread.SomeUser, Group = "" });
        }

        var next = tree.File("read-only/deep/f", "changed").File("read-only/new", "n").Without("noted");
        Shell.Run("chmod 777 \"$1\"", temporary.Path);

        var unset = new List<UnreadablePath>();
        UnprivilegedThread.Run(() =>
        {
            Directory.CreateDirectory(temporary["t"]);
            unset.AddRange(SlotWork.Bring(temporary["t"], TreeLiteral.Empty, tree));
        });
        Assert.Equal(["given", "noted", "null"], unset.Select(path => path.Path.ToString()).Order());
        TreeAssert.Same(Permitted(tree), TreeLiteral.ReadFrom(temporary["t"]));

        // Once more, into directories that are closed by now.
        UnprivilegedThread.Run(() => SlotWork.Bring(temporary["t"], tree, next, allDirectories: false));
        Assert.Equal("500\n500\n", Shell.Run("stat -c %a \"$1\" \"$1/deep\"", temporary["t/read-only"]));
        Assert.Equal("changed", File.ReadAllText(temporary["t/read-only/deep/f"]));
        UnprivilegedThread.Run(() =>
        {
            using var writer = new TreeWriter(temporary["t"]);
            writer.Remove(EntryPath.Parse("read-only"));
        });
        Assert.False(Directory.Exists(temporary["t/read-only"]));

        static TreeLiteral Permitted(TreeLiteral tree) => tree
            .Without("null")
            .With("given", static entry => entry with { Uid = UnprivilegedThread.SomeUser, Gid = 0, Group = "root" })
            .With("given", static entry => entry with { Gid = UnprivilegedThread.SomeUser, Group = "" })
            .With("noted", static entry => entry with { Xattrs = [.. entry.Xattrs.Where(static xattr => xattr.Name == "user.note")] });
    }

    private string[] Names() => [.. Directory.EnumerateFileSystemEntries(temporary["t"]).Select(static path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private void Write(TreeLiteral tree, string path)
    {
        using var writer = new TreeWriter(temporary["t"]);
        using var file = writer.BeginFile(tree.ToManifest().Find(EntryPath.Parse(path))!);
        file.Content.Write(tree[path].Content);
        file.Commit();
    }

    private static Entry Described(string path, EntryType type) => new() { Path = EntryPath.Parse(path), Type = type, Mode = 0x1ed };
}
