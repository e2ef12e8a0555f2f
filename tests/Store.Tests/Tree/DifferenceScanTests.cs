using System.Net.Sockets;
using CsCheck;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Tree;

public sealed class DifferenceScanTests : IDisposable
{
    private readonly TemporaryDirectory temporary = new();

    private string Root => temporary["t"];

    public void Dispose() => temporary.Dispose();

    [Fact]
    public void What_differs_laid_over_what_was_known_is_what_is_there() => TreeGen.TreeAndNext.Sample(
        pair =>
        {
            using var directory = new TemporaryDirectory();
            pair.Before.WriteTo(directory["t"]);
            var known = pair.Before.ToManifest();
            var keys = KeysOf(directory["t"]);
            NextTick(directory);
            SlotWork.Bring(directory["t"], pair.Before, pair.After);

            var difference = Scan(directory["t"], known, keys);

            var expected = pair.After.ToManifest();
            var replaced = difference.Known.Select(static entry => entry.Path).ToHashSet();
            Assert.Equal(difference.Known.Count, replaced.Count);
            Assert.All(difference.Known, entry => Assert.Equal(known.Find(entry.Path), entry));
            var entries = known.Entries.Where(entry => !replaced.Contains(entry.Path))
                .Concat(difference.Scan.Entries.Select(found => found.Entry with { Hash = expected.Find(found.Entry.Path)?.Hash ?? default }))
                .OrderBy(static entry => entry.Path);
            Assert.Equal(expected.Entries, entries);
            Assert.Empty(difference.Scan.Unreadable);
            Assert.All(Scan(directory["t"], expected, KeysOf(directory["t"])).Known, entry => Assert.True(entry.Type == EntryType.Directory || IsLinked(expected, entry), $"{entry.Path} is told though it is as known"));
        },
        iter: 150, threads: 1);

    [Fact]
    public void A_tree_that_was_left_alone_tells_nothing_and_a_change_tells_the_way_to_it()
    {
        TreeLiteral.Empty.File("a/b/c/one", "1").File("a/b/c/two", "22").File("a/x", "3").Directory("empty").Symlink("l", "a").Fifo("p").WriteTo(Root);
        var known = Known();
        var keys = KeysOf(Root);

        Assert.Empty(Scan(Root, known, keys).Known);
        Assert.Empty(Scan(Root, known, keys).Scan.Entries);
        NextTick(temporary);
        File.SetUnixFileMode(temporary["t/a/b/c/two"], UnixFileMode.UserRead);
        Assert.Equal(["", "a", "a/b", "a/b/c", "a/b/c/two"], Paths(Scan(Root, known, keys)));

        // Of one file the stat is not known: it is told, though it is as before.
        keys.Remove(EntryPath.Parse("a/x"));
        Assert.Equal(["", "a", "a/b", "a/b/c", "a/b/c/two", "a/x"], Paths(Scan(Root, known, keys)));
    }

    [Theory]
    [InlineData("rm -r a/b", "a", "a/b a/b/c a/b/c/one a/b/c/two a")]
    [InlineData("rm -r a/b; echo x > a/b", "a/b", "a/b a/b/c a/b/c/one a/b/c/two a")]
    [InlineData("mv a/b moved", "moved/c/one moved/c moved a", "a/b a/b/c a/b/c/one a/b/c/two a")]
    [InlineData("rm a/x; mkdir a/x; echo x > a/x/y", "a/x/y a/x a", "a/x a")]
    [InlineData("ln -sfn elsewhere l", "l", "l")]
    public void What_is_gone_or_became_something_else_goes_with_all_that_was_below(string change, string found, string replaced)
    {
        TreeLiteral.Empty.File("a/b/c/one", "1").File("a/b/c/two", "22").File("a/x", "3").Symlink("l", "a").WriteTo(Root);
        var known = Known();
        var keys = KeysOf(Root);
        NextTick(temporary);

        Shell.Run($"cd \"$1\"; {change}", Root);

        var difference = Scan(Root, known, keys);
        Assert.Subset(Paths(difference).ToHashSet(), found.Split(' ').ToHashSet());
        Assert.Subset(difference.Known.Select(static entry => entry.Path.ToString()).ToHashSet(), replaced.Split(' ').ToHashSet());
        Assert.Equal(TreeLiteral.ReadFrom(Root).ToManifest().Entries.Select(static entry => entry.Path), Laid(known, difference));
    }

    [Fact]
    public void An_attribute_is_noticed_by_the_stat_alone()
    {
        TreeLiteral.Empty.File("f", "1").WriteTo(Root);
        var known = Known();
        var keys = KeysOf(Root);
        NextTick(temporary);

        Shell.Run("setfattr -n user.k -v v \"$1/f\"", Root);

        Assert.Equal("user.k", Assert.Single(Scan(Root, known, keys).Scan.Entries[^1].Entry.Xattrs).Name);
    }

    [Fact]
    public void What_is_left_out_is_gone_and_what_is_no_part_of_a_version_is_skipped()
    {
        TreeLiteral.Empty.File("a", "1").File("b/c", "2").WriteTo(Root);
        var known = Known();
        var keys = KeysOf(Root);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(temporary["t/s"]));

        known.Note(keys);
        var difference = new DifferenceScan(known).Scan(Root, static (path, _) => path == EntryPath.Parse("b"), CancellationToken.None);

        Assert.Equal(["b", "b/c"], difference.Known.Where(static entry => !entry.Path.IsRoot).Select(static entry => entry.Path.ToString()));
        Assert.Equal(EntryPath.Parse("s"), Assert.Single(difference.Scan.Skipped).Path);
    }

    [RootFact]
    public void What_may_not_be_read_is_unknown_by_the_rights_of_who_asks()
    {
        TreeLiteral.Empty.File("closed/inner", "").File("secret", "x", "0600").File("open", "x").WriteTo(Root);
        Shell.Run("chmod 755 \"$1\" \"$2\"; chmod 700 \"$2/closed\"", temporary.Path, Root);

        TouchedTree? difference = null;
        UnprivilegedThread.Run(() => difference = Scan(Root, Manifest.Empty, []));

        Assert.Equal(["closed", "secret"], difference!.Scan.Unreadable.Select(found => found.Path.ToString()));
        Assert.Equal(["", "open"], Paths(difference));
        Assert.Throws<UnauthorizedAccessException>(() => UnprivilegedThread.Run(() => Scan(temporary["t/closed"], Manifest.Empty, [])));
    }

    [Fact]
    public void A_walk_that_is_cancelled_ends_and_says_so()
    {
        TreeLiteral.Empty.File("a/b", "").WriteTo(Root);
        Assert.Throws<OperationCanceledException>(() => new DifferenceScan(Manifest.Empty).Scan(Root, static (_, _) => false, new CancellationToken(true)));
        Assert.Throws<DirectoryNotFoundException>(() => Scan(temporary["absent"], Manifest.Empty, []));
    }

    [Fact]
    public async Task A_tree_that_changes_under_the_walk_never_breaks_it()
    {
        TreeLiteral.Empty.File("k/kept", "1").WriteTo(Root);
        var known = Known();
        var keys = KeysOf(Root);
        using var over = new CancellationTokenSource();
        var turmoil = Task.Run(() =>
        {
            for (var turn = 0; !over.IsCancellationRequested; turn++)
            {
                var path = Path.Combine(Root, $"x{turn % 7}");
                switch (turn % 5)
                {
                    case 0: Directory.CreateDirectory(Path.Combine(path + "d", "inner")); break;
                    case 1: File.WriteAllText(path, "x"); break;
                    case 2: File.Delete(path); break;
                    case 3 when Directory.Exists(path + "d"): Directory.Delete(path + "d", recursive: true); break;
                    case 4 when File.Exists(path): File.Move(path, path + $"m{turn % 3}", overwrite: true); break;
                    default: break;
                }
            }
        });

        for (var turn = 0; turn < 300; turn++)
        {
            var difference = Scan(Root, known, keys);
            var paths = difference.Scan.Entries.Select(static found => found.Entry.Path).ToList();
            Assert.Equal(paths.Distinct().Order(), paths);
            Assert.All(paths, path => Assert.True(path.IsRoot || paths.Contains(path.Parent)));
            Assert.DoesNotContain(EntryPath.Parse("k/kept"), difference.Known.Select(static entry => entry.Path));
        }

        await over.CancelAsync();
        await turmoil;
    }

    private static TouchedTree Scan(string root, Manifest known, Dictionary<EntryPath, StatKey> keys)
    {
        known.ForgetStats();
        known.Note(keys);
        return new DifferenceScan(known).Scan(root, static (_, _) => false, CancellationToken.None);
    }

    private static bool IsLinked(Manifest manifest, Entry entry) => entry.HardlinkOf is not null || manifest.Entries.Any(other => other.HardlinkOf == entry.Path);

    private Manifest Known() => TreeLiteral.ReadFrom(Root).ToManifest();

    private static Dictionary<EntryPath, StatKey> KeysOf(string root) =>
        TreeScanner.Scan(root, static (_, _) => false, CancellationToken.None).Entries.Where(static found => found.Entry.Type == EntryType.File).ToDictionary(static found => found.Entry.Path, static found => found.Stat);

    private static string[] Paths(TouchedTree difference) => [.. difference.Scan.Entries.Select(static found => found.Entry.Path.ToString())];

    private static IEnumerable<EntryPath> Laid(Manifest known, TouchedTree difference) =>
        known.Entries.Select(static entry => entry.Path).Except(difference.Known.Select(static entry => entry.Path)).Concat(difference.Scan.Entries.Select(static found => found.Entry.Path)).Order();

    /// <summary>File systems stamp by a coarse clock: what is changed after this has another ctime than what was changed before.</summary>
    private static void NextTick(TemporaryDirectory place)
    {
        var probe = EntryPath.Parse("probe");
        File.WriteAllText(place["probe"], "");
        var before = TreeScanner.Stat(place.Path, probe)!.Value.CtimeNs;
        while (TreeScanner.Stat(place.Path, probe)!.Value.CtimeNs == before)
        {
            File.SetLastWriteTimeUtc(place["probe"], DateTime.UnixEpoch);
        }
    }
}
