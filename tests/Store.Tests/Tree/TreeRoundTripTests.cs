using System.Globalization;
using CsCheck;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Tree;

public sealed class TreeRoundTripTests : IDisposable
{
    private readonly TemporaryDirectory temporary = new();

    public void Dispose() => temporary.Dispose();

    [Fact]
    public void A_tree_is_read_back_as_it_was_described()
    {
        var tree = TreeLiteral.Empty
            .File("index.html", "hello")
            .File("empty", "")
            .Directory("data", "0700")
            .File("data/a", "a")
            .File("data-b", "sorts after data/a")
            .Symlink("latest", "data/a")
            .Symlink("dangling", "/nowhere/at all")
            .Hardlink("copy.html", "index.html")
            .Hardlink("other-latest", "latest")
            .Fifo("pipe", "0600")
            .File("set-uid", "x", "6755")
            .Directory("sticky", "3777")
            .SparseFile("holes", [.. new byte[100_000], 1, .. new byte[200_000]])
            .Xattr("data", "user.colour", "blue")
            .Xattr("empty", "user.b", "2")
            .Xattr("empty", "user.a", "");

        tree.WriteTo(temporary["tree"]);

        TreeAssert.Holds(tree, temporary["tree"]);
        Assert.Equal(EntryPath.Parse("copy.html"), TreeLiteral.ReadFrom(temporary["tree"]).ToManifest().Find(EntryPath.Parse("index.html"))!.HardlinkOf);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(-1)]
    [InlineData(-1_000_000_000)]
    [InlineData(1_999_999_999_999_999_999)]
    [InlineData(4_102_444_800_000_000_007)]
    public void Every_nanosecond_of_a_time_is_kept(long time)
    {
        var tree = TreeLiteral.Empty.File("f", "").Symlink("s", "f").Fifo("p").Directory("d");
        foreach (var path in (string[])["f", "s", "p", "d", ""])
        {
            tree = tree.With(path, entry => entry with { MtimeUnixNs = time });
        }

        tree.WriteTo(temporary["tree"]);

        TreeAssert.Holds(tree, temporary["tree"]);
    }

    [Fact]
    public void Names_and_link_targets_need_not_be_text()
    {
        EntryPath directory = EntryPath.Parse([0x80, 0x81, (byte)'\n']);
        var tree = TreeLiteral.Empty
            .Put(directory, TreeLiteral.NewDirectory())
            .Put(directory.Append([0xff]), TreeLiteral.NewFile([1, 2, 3]))
            .Put(directory.Append([0xfe]), TreeLiteral.NewSymlink([0xff, (byte)'/', 0xc0]))
            .Put(directory.Append([.. Enumerable.Repeat((byte)0xee, 255)]), TreeLiteral.NewFile([]));

        tree.WriteTo(temporary["tree"]);

        TreeAssert.Holds(tree, temporary["tree"]);
    }

    [Fact]
    public void The_longest_path_costs_neither_descriptors_nor_stack()
    {
        // 2047 directories and a file: 4095 bytes, more levels than a process usually has descriptors.
        var deepest = EntryPath.Parse(string.Join('/', Enumerable.Repeat("d", 2047)));
        var manifest = new List<Entry> { Described("", EntryType.Directory) };
        for (var length = 1; length <= deepest.Bytes.Length; length += 2)
        {
            manifest.Add(Described(EntryPath.Parse(deepest.Bytes[..length]), EntryType.Directory));
        }

        manifest.Add(Described(deepest.Append("f"u8), EntryType.File));
        var root = temporary.Make("tree");
        using (var writer = new TreeWriter(root))
        {
            manifest.SkipLast(1).ToList().ForEach(writer.Put);
            using var file = writer.BeginFile(manifest[^1]);
            file.Commit();
            writer.FinishDirectories(manifest.SkipLast(1));
        }

        Assert.Equal(manifest.Select(entry => entry.Path), Scan(root).Entries.Select(found => found.Entry.Path));
        using (var writer = new TreeWriter(root))
        {
            writer.Remove(EntryPath.Parse("d"));
        }

        Assert.Single(Scan(root).Entries);
    }

    [RootFact]
    public void Owners_devices_capabilities_and_the_administrators_attributes_are_kept()
    {
        var tree = TreeLiteral.Empty
            .File("owned", "x", "6711").With("owned", Given)
            .Symlink("link", "owned").With("link", Given)
            .Directory("directory", "2770").With("directory", Given)
            .Fifo("pipe").With("pipe", Given)
            .Device("null", EntryType.CharacterDevice, 1, 3, "0666")
            .Device("odd", EntryType.CharacterDevice, 511, 1_048_575)
            .Device("disk", EntryType.BlockDevice, 7, 300)
            .Xattr("owned", "trusted.note", "root's")
            .Xattr("link", "trusted.note", "on the link itself")
            .Xattr("pipe", "trusted.note", "on a pipe")
            .Xattr("null", "trusted.note", "on a device")
            .With("owned", entry => entry with
            {
                // cap_net_bind_service, permitted and effective
                Xattrs = [new Xattr("security.capability", Convert.FromHexString("0100000200040000000000000000000000000000")), .. entry.Xattrs],
            });

        tree.WriteTo(temporary["tree"]);

        TreeAssert.Holds(tree, temporary["tree"]);

        static Entry Given(Entry entry) => entry with { Uid = 54321, Owner = "", Gid = 54322, Group = "" };
    }

    [RootFact]
    public void A_name_that_exists_here_wins_over_the_number()
    {
        var tree = TreeLiteral.Empty.File("f", "").With("f", static entry => entry with { Uid = 4711, Owner = "root", Gid = 4712, Group = "nobody-has-this-name" });

        tree.WriteTo(temporary["tree"]);

        Assert.Equal("0 4712\n", Shell.Run("stat -c '%u %g' \"$1\"", temporary["tree/f"]));
    }

    [Fact]
    public void An_access_list_of_a_directory_is_kept_and_does_not_leak_into_what_is_written_below()
    {
        Shell.Run("""
            cd "$1"; mkdir shared; touch shared/plain; mkdir shared/inner; mkfifo shared/pipe; chmod 640 shared/plain
            setfacl -m u:54321:rwx shared; setfacl -d -m u:54321:rwx,g::---,m::rwx shared; touch shared/inherited
            """, temporary.Make("a"));
        var tree = TreeLiteral.ReadFrom(temporary["a"]);

        tree.WriteTo(temporary["b"]);

        Assert.Equal(["system.posix_acl_access", "system.posix_acl_default"], tree["shared"].Metadata.Xattrs.Select(xattr => xattr.Name));
        Assert.Single(tree["shared/inherited"].Metadata.Xattrs);
        Assert.Empty(tree["shared/plain"].Metadata.Xattrs);
        TreeAssert.Holds(tree, temporary["b"]);
        Assert.Equal(Shell.Run("cd \"$1\" && getfacl -Rn .", temporary["a"]), Shell.Run("cd \"$1\" && getfacl -Rn .", temporary["b"]));
    }

    [Fact]
    public void A_copy_of_a_tree_made_by_others_satisfies_rsync()
    {
        Shell.Run("""
            cd "$1"
            printf 'hello\n' > index.html; ln index.html 'second name'; : > empty; mkdir -p 'data/a b' data/-rf data/$'new\nline'; printf x > $'data/bad\xff\xfe'
            ln -s ../nowhere data/link; ln -P data/link data/link2; mkfifo -m 600 pipe; head -c 300000 /dev/urandom > data/random
            truncate -s 10M holes; printf middle | dd of=holes bs=1 seek=5000000 conv=notrunc status=none; printf end >> holes
            setfattr -n user.k -v v data data/random; setfacl -m u:54321:r index.html
            chmod 6755 data/random; chmod 1777 'data/a b'
            touch -d '1969-07-20 20:17:40.123456789 UTC' index.html; touch -h -d '2001-01-01 00:00:00.000000001' data/link; touch -d '2038-01-19 03:14:08.5 UTC' data .
            if [ "$(id -u)" = 0 ]; then chmod 0 empty; chown 1:54321 data/random; chmod 6755 data/random; chown -h 1:1 data/link; mknod zero c 1 5; chown 54321 'data/a b'; fi
            """, temporary.Make("a"));

        TreeLiteral.ReadFrom(temporary["a"]).WriteTo(temporary["b"]);

        Assert.Equal("", Shell.Run("rsync -aHAXn --delete --checksum -i \"$1\"/ \"$2\"/", temporary["a"], temporary["b"]));
        const string List = "cd \"$1\" && find . -printf '%p %y %m %U %G %n %s %T@ %l\\n' | sort";
        Assert.Equal(Shell.Run(List, temporary["a"]), Shell.Run(List, temporary["b"]));
        Assert.Equal(Shell.Run("stat -c %b \"$1/holes\"", temporary["a"]), Shell.Run("stat -c %b \"$1/holes\"", temporary["b"]));
    }

    [Fact]
    public void Any_tree_is_read_back_as_it_was_written() => TreeGen.Tree.Sample(
        tree =>
        {
            using var directory = new TemporaryDirectory();
            tree.WriteTo(directory["tree"]);
            TreeAssert.Holds(tree, directory["tree"]);
        },
        iter: 60, threads: 1);

    [Fact]
    public void What_a_scan_says_agrees_with_find() => TreeGen.Tree.Sample(
        tree =>
        {
            using var directory = new TemporaryDirectory();
            tree.WriteTo(directory["tree"]);
            var scan = Scan(directory["tree"]);
            var told = scan.Entries.Select(found => string.Join(' ',
                found.Entry.Path.IsRoot ? "." : "./" + Convert.ToHexString(found.Entry.Path.Bytes),
                Letter(found.Entry.Type), Convert.ToString(found.Entry.Mode, 8), found.Entry.Uid, found.Entry.Gid, found.Stat.Inode,
                Seconds(found.Entry.MtimeUnixNs), Seconds(found.Stat.CtimeNs)));
            Assert.Equal(Found(directory["tree"]).Order(), told.Order());
        },
        iter: 15, threads: 1);

    private static IEnumerable<string> Found(string root)
    {
        // Names may hold anything but NUL and are not text: they travel as hexadecimal digits.
        var output = Shell.Run("cd \"$1\" && find . -printf '%P\\0%y %m %U %G %i %T@ %C@\\0' | od -An -v -tx1 | tr -d ' \\n'", root);
        var fields = output.Length == 0 ? [] : Split(Convert.FromHexString(output));
        for (var at = 0; at + 1 < fields.Count; at += 2)
        {
            var path = fields[at].Length == 0 ? "." : "./" + Convert.ToHexString(fields[at]);

            // find prints ten digits of a second's fraction, the last always 0.
            var stat = System.Text.Encoding.ASCII.GetString(fields[at + 1]).Split(' ');
            yield return string.Join(' ', [path, .. stat[..5], stat[5][..^1], stat[6][..^1]]);
        }
    }

    private static List<byte[]> Split(byte[] bytes)
    {
        var fields = new List<byte[]>();
        for (var rest = bytes.AsSpan(); !rest.IsEmpty;)
        {
            var end = rest.IndexOf((byte)0);
            fields.Add(rest[..end].ToArray());
            rest = rest[(end + 1)..];
        }

        return fields;
    }

    private static char Letter(EntryType type) => "?fdlpcb"[(int)type];

    /// <summary>As find prints a time: for one before 1970, seconds rounded towards zero and the fraction counted on from below.</summary>
    private static string Seconds(long ns)
    {
        var seconds = Math.DivRem(ns, 1_000_000_000, out var rest);
        (seconds, rest) = rest < 0 ? (seconds - 1, rest + 1_000_000_000) : (seconds, rest);
        return string.Create(CultureInfo.InvariantCulture, $"{seconds}.{rest:d9}");
    }

    private static TreeScan Scan(string root) => TreeScanner.Scan(root, static (_, _) => false, CancellationToken.None);

    private static Entry Described(string path, EntryType type) => Described(EntryPath.Parse(path), type);

    private static Entry Described(EntryPath path, EntryType type) => new() { Path = path, Type = type, Mode = 0x1ed };
}
