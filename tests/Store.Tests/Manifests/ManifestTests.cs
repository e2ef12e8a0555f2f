using CsCheck;
using Mirror.Store.Manifests;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Manifests;

public sealed class ManifestTests
{
    private static readonly ContentHash hash = ContentHash.From([.. Enumerable.Range(1, ContentHash.Length).Select(static value => (byte)value)]);

    [Fact]
    public void Applying_the_difference_gives_the_other_manifest_and_its_root() => TreeGen.TreeAndNext.Sample(
        pair =>
        {
            var (before, after) = (pair.Before.ToManifest(), pair.After.ToManifest());
            _ = before.Root;

            var applied = before.Apply(Manifest.Diff(before, after));

            Assert.Equal(after.Entries, applied.Entries);
            Assert.Equal(after.Root, applied.Root);
            Assert.Equal(after.TotalBytes, applied.TotalBytes);
            Assert.Equal(before.Entries.SequenceEqual(after.Entries), before.Root == after.Root);
            Assert.True(Manifest.Diff(applied, after).IsEmpty);
        },
        iter: 300, threads: 1);

    [Fact]
    public void Becoming_what_a_scan_found_is_applying_the_difference() => Gen.Select(TreeGen.TreeAndNext, Gen.Bool).Sample(
        (pair, hashed) =>
        {
            var (before, after) = (pair.Before.ToManifest(), pair.After.ToManifest());
            _ = hashed ? before.Root : default;

            var (became, changes) = before.Become(after.Entries);

            var difference = Manifest.Diff(before, after);
            Assert.Equal(difference.Put, changes.Put);
            Assert.Equal(difference.Removed, changes.Removed);
            Assert.Equal(after.Entries, became.Entries);
            Assert.Equal(after.Root, became.Root);
        },
        iter: 300, threads: 1);

    [Fact]
    public void Entries_out_of_order_become_nothing()
    {
        var before = Manifest.FromSorted([Folder(""), File("a"), File("b")]);
        Assert.Throws<InvalidDataException>(() => before.Become([Folder(""), File("b"), File("a")]));
        Assert.Throws<InvalidDataException>(() => before.Become([Folder(""), File("a"), File("a")]));
    }

    [Fact]
    public void Every_path_and_every_content_is_found() => TreeGen.Tree.Sample(
        tree =>
        {
            var manifest = tree.ToManifest();
            foreach (var entry in manifest.Entries)
            {
                Assert.Equal(entry, manifest.Find(entry.Path));
                if (entry.Type == EntryType.File)
                {
                    Assert.Equal(manifest.Entries.First(other => other.Hash == entry.Hash), manifest.FindContent(entry.Hash));
                }
            }

            Assert.Null(manifest.Find(EntryPath.Parse("no such path")));
            Assert.Null(manifest.FindContent(hash));
            Assert.Equal(tree.Nodes.Values.Distinct().Sum(inode => (long)inode.Content.Length), manifest.TotalBytes);
        },
        iter: 100, threads: 1);

    [Fact]
    public void Nothing_has_no_root()
    {
        Assert.True(Manifest.Empty.Root.IsNone);
        Assert.Null(Manifest.Empty.Find(EntryPath.Root));
        Assert.Empty(Manifest.FromSorted([]).Entries);
        var gone = Manifest.FromSorted([Folder("")]).Apply(new ManifestDelta([], [EntryPath.Root]));
        Assert.True(gone.Root.IsNone);
    }

    /// <summary>The expected root was computed by another program from docs/format.md.</summary>
    [Fact]
    public void The_root_is_the_one_the_format_describes()
    {
        var first = EntryPath.Parse([(byte)'a', 0xff]);
        var file = File("") with
        {
            Path = first, Mode = 0x1a4, Uid = 1000, Gid = 54321, Owner = "jürgen", Group = "", MtimeUnixNs = -1, Size = 6, Unstable = true,
            Hash = ContentHash.From(System.Security.Cryptography.SHA256.HashData("hello\n"u8)),
            Xattrs = [new Xattr("user.a", "1"u8.ToArray()), new Xattr("user.b", [])],
        };
        var manifest = Manifest.FromSorted(
        [
            Rooted("", EntryType.Directory, 0x1ed, 1),
            file,
            Rooted("d", EntryType.Directory, 0x5c0, 5),
            file with { Path = EntryPath.Parse("d/h"), HardlinkOf = first },
            Rooted("d/l", EntryType.Symlink, 0x1ff, 1_234_567_890_123_456_789) with { LinkTarget = "../a"u8.ToArray() },
            Rooted("d-e", EntryType.CharacterDevice, 0x180, 0) with { DeviceMajor = 1, DeviceMinor = 3 },
        ]);

        Assert.Equal("489aa6deb152d47b37f804aac4af3a361f2b917d091bcad0febebfc429286f93", manifest.Root.ToString());

        static Entry Rooted(string path, EntryType type, uint mode, long time) =>
            new() { Path = EntryPath.Parse(path), Type = type, Mode = mode, Owner = "root", Group = "root", MtimeUnixNs = time };
    }

    public static TheoryData<string> Changes => [.. changes.Keys];

    [Theory]
    [MemberData(nameof(Changes))]
    public void Whatever_changes_in_an_entry_changes_the_root_and_is_a_difference(string what)
    {
        var before = Sample(static entry => entry);

        var after = Sample(changes[what]);

        Assert.NotEqual(before.Root, after.Root);
        Assert.Single(Manifest.Diff(before, after).Put);
    }

    [Fact]
    public void Moving_an_entry_changes_the_root()
    {
        var one = Manifest.FromSorted([Folder(""), Folder("a"), File("a/f"), Folder("b")]);
        var other = Manifest.FromSorted([Folder(""), Folder("a"), Folder("b"), File("b/f")]);

        Assert.NotEqual(one.Root, other.Root);
    }

    public static TheoryData<string> Wrongs => [.. wrongs.Keys];

    [Theory]
    [MemberData(nameof(Wrongs))]
    public void What_is_no_manifest_is_refused(string what) => Assert.Throws<InvalidDataException>(() => Manifest.FromSorted(wrongs[what]));

    [Fact]
    public void A_difference_that_leaves_no_manifest_is_refused()
    {
        var manifest = Manifest.FromSorted([Folder(""), Folder("d"), File("d/f"), File("e"), File("f") with { HardlinkOf = EntryPath.Parse("e") }]);
        var same = File("x");

        Assert.Throws<InvalidDataException>(() => manifest.Apply(new ManifestDelta([], [EntryPath.Parse("d")])));
        Assert.Throws<InvalidDataException>(() => manifest.Apply(new ManifestDelta([], [EntryPath.Parse("e")])));
        Assert.Throws<InvalidDataException>(() => manifest.Apply(new ManifestDelta([File("e") with { Mode = 0 }], [])));
        Assert.Throws<InvalidDataException>(() => manifest.Apply(new ManifestDelta([File("g/h")], [])));
        Assert.Throws<InvalidDataException>(() => manifest.Apply(new ManifestDelta([same, same], [])));
        Assert.Throws<InvalidDataException>(() => manifest.Apply(new ManifestDelta([], [EntryPath.Parse("e"), EntryPath.Parse("d")])));
        Assert.Throws<InvalidDataException>(() => manifest.Apply(new ManifestDelta([File("x") with { Mode = 0x1000 }], [])));
    }

    private static readonly Dictionary<string, Func<Entry, Entry>> changes = new()
    {
        ["mode"] = static entry => entry with { Mode = 0x9ed },
        ["uid"] = static entry => entry with { Uid = 7 },
        ["gid"] = static entry => entry with { Gid = 7 },
        ["owner"] = static entry => entry with { Owner = "o" },
        ["group"] = static entry => entry with { Group = "o" },
        ["owner and group swapped"] = static entry => entry with { Owner = "gg", Group = "" },
        ["time"] = static entry => entry with { MtimeUnixNs = 8 },
        ["size"] = static entry => entry with { Size = 5 },
        ["content"] = static entry => entry with { Hash = hash with { D = 0 } },
        ["sparse"] = static entry => entry with { Sparse = true },
        ["unstable"] = static entry => entry with { Unstable = true },
        ["attribute"] = static entry => entry with { Xattrs = [new Xattr("user.a", [1])] },
        ["type"] = static entry => entry with { Type = EntryType.Fifo, Size = 0, Hash = default },
        ["link"] = static entry => entry with { Type = EntryType.Symlink, Size = 0, Hash = default, LinkTarget = [1] },
        ["device"] = static entry => entry with { Type = EntryType.BlockDevice, Size = 0, Hash = default, DeviceMinor = 1 },
        ["hard link"] = static entry => entry with { HardlinkOf = EntryPath.Parse("d/a") },
    };

    private static readonly Dictionary<string, Entry[]> wrongs = new()
    {
        ["no root"] = [File("a")],
        ["root is a file"] = [File("")],
        ["out of order"] = [Folder(""), File("b"), File("a")],
        ["a directory's contents are not its neighbours"] = [Folder(""), Folder("a"), File("a-b"), File("a/b")],
        ["twice"] = [Folder(""), File("a"), File("a")],
        ["no parent"] = [Folder(""), File("a/b")],
        ["no grandparent"] = [Folder(""), Folder("a"), File("a/b/c")],
        ["the parent is a file"] = [Folder(""), File("a"), File("a/b")],
        ["hard link of nothing"] = [Folder(""), File("b") with { HardlinkOf = EntryPath.Parse("a") }],
        ["hard link of a later path"] = [Folder(""), File("a") with { HardlinkOf = EntryPath.Parse("b") }, File("b")],
        ["hard link of itself"] = [Folder(""), File("a") with { HardlinkOf = EntryPath.Parse("a") }],
        ["hard link of a hard link"] =
            [Folder(""), File("a"), File("b") with { HardlinkOf = EntryPath.Parse("a") }, File("c") with { HardlinkOf = EntryPath.Parse("b") }],
        ["hard link that says something else"] = [Folder(""), File("a"), File("b") with { HardlinkOf = EntryPath.Parse("a"), Mode = 0 }],
        ["hard link of a directory"] = [Folder(""), Folder("a"), File("b") with { HardlinkOf = EntryPath.Parse("a") }],
        ["file without a hash"] = [Folder(""), File("a") with { Hash = default }],
        ["more bytes than can be counted"] = [Folder(""), File("a") with { Size = long.MaxValue }, File("b") with { Size = 1 }],
    };

    private static Manifest Sample(Func<Entry, Entry> change) => Manifest.FromSorted(
        [Folder(""), Folder("d"), File("d/a"), change(File("d/b") with { Group = "gg" }) is var changed && changed.HardlinkOf is null ? changed : changed with { Group = "" }, File("e")]);

    private static Entry File(string path) => new() { Path = EntryPath.Parse(path), Type = EntryType.File, Mode = 0x1a4, Size = 3, Hash = hash };

    private static Entry Folder(string path) => new() { Path = EntryPath.Parse(path), Type = EntryType.Directory, Mode = 0x1ed };
}
