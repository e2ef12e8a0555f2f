using CsCheck;
using Mirror.Primary.Capture;
using Mirror.Primary.Watch;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Capture;

public sealed class TouchedCaptureTests
{
    [Fact]
    public async Task Only_what_was_touched_is_looked_at()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("a/one", "1").File("b/two", "2"));
        await site.CaptureAsync();
        site.Write("a/one", "changed");
        site.Write("b/two", "changed too");

        var captured = await site.CaptureAsync(Touched("a/one"));

        Assert.Equal(["a/one"], LiveSite.Put(captured));
        Assert.Equal(1, captured.FilesRead);
        Assert.Equal(["b/two"], LiveSite.Put(await site.CaptureAsync()));
    }

    [Fact]
    public async Task A_file_made_below_directories_nobody_knew_brings_them_along()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("a/one", "1"));
        await site.CaptureAsync();
        Directory.CreateDirectory(Path.Combine(site.Root, "a/b/c"));
        site.Write("a/b/c/new", "new");
        site.Write("a/b/beside", "beside");

        var captured = await site.CaptureAsync(Touched("a/b/c/new"));

        Assert.Equal(["a", "a/b", "a/b/beside", "a/b/c", "a/b/c/new"], LiveSite.Put(captured));
        Assert.Null((await site.CaptureAsync()).Version);
    }

    [Fact]
    public async Task A_directory_that_is_gone_takes_along_what_was_known_in_it()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("a/b/one", "1").File("a/b/c/two", "2").File("rest", "r"));
        await site.CaptureAsync();
        Directory.Delete(Path.Combine(site.Root, "a/b"), recursive: true);

        var captured = await site.CaptureAsync(Touched("a/b"));

        Assert.Equal(["a/b", "a/b/c", "a/b/c/two", "a/b/one"], captured.Delta.Removed.Select(path => path.ToString()));
        Assert.Null((await site.CaptureAsync()).Version);
    }

    [Fact]
    public async Task A_renamed_directory_is_neither_read_nor_sent_again()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("old/one", LiveSite.Noise(1, 40_000)).File("old/in/two", LiveSite.Noise(2, 40_000)));
        await site.CaptureAsync();
        Directory.Move(Path.Combine(site.Root, "old"), Path.Combine(site.Root, "new"));

        var captured = await site.CaptureAsync(new TouchedPaths(false, Paths("old"), Paths("new")));

        Assert.Equal(0, captured.FilesRead);
        Assert.Empty(LiveSite.BlobsOf(captured));
        Assert.Null((await site.CaptureAsync()).Version);
    }

    [Fact]
    public async Task Whoever_writes_through_one_name_of_a_file_changes_all_of_them()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("a/first", "1").Hardlink("b/second", "a/first").Hardlink("c/third", "a/first"));
        await site.CaptureAsync();
        site.Write("b/second", "written here");

        await site.CaptureAsync(Touched("b/second"));

        Assert.Null((await site.CaptureAsync()).Version);

        // When the first name goes, the next one is the first.
        File.Delete(Path.Combine(site.Root, "a/first"));
        await site.CaptureAsync(Touched("a/first"));
        Assert.Equal("b/second", site.Store.HeadManifest.Find(EntryPath.Parse("c/third"))!.HardlinkOf.ToString());
        Assert.Null((await site.CaptureAsync()).Version);

        // And a new one may come before all the others.
        HardLink.Create(Path.Combine(site.Root, "c/third"), Path.Combine(site.Root, "a/a"));
        await site.CaptureAsync(Touched("a/a"));
        Assert.Equal("a/a", site.Store.HeadManifest.Find(EntryPath.Parse("c/third"))!.HardlinkOf.ToString());
        Assert.Null((await site.CaptureAsync()).Version);
    }

    [Fact]
    public async Task A_file_just_made_is_looked_at_again_when_another_name_of_it_appears()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("old", "1"));
        await using var role = await site.EnterAsync();
        site.Write("b", "fresh");
        await role.CaptureAsync(Touched("b"), false, CancellationToken.None);
        HardLink.Create(Path.Combine(site.Root, "b"), Path.Combine(site.Root, "c"));

        await role.CaptureAsync(Touched("c"), false, CancellationToken.None);

        Assert.Equal("b", site.Store.HeadManifest.Find(EntryPath.Parse("c"))!.HardlinkOf.ToString());
    }

    [Fact]
    public async Task Nearly_everything_gone_stops_this_capture_too()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("a/one", "1").File("a/two", "2"));
        await site.CaptureAsync();
        Directory.Delete(Path.Combine(site.Root, "a"), recursive: true);

        await Assert.ThrowsAsync<CaptureException>(() => site.CaptureAsync(Touched("a")));

        Assert.NotNull((await site.CaptureAsync(Touched("a"), allowMassDelete: true)).Version);
    }

    [Fact]
    public async Task What_mirror_keeps_in_the_tree_and_what_is_left_out_are_no_changes()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("a", "1"), exclude: ["cache/**"]);
        await site.CaptureAsync();
        Directory.CreateDirectory(Path.Combine(site.Root, "cache/deep"));
        Directory.CreateDirectory(Path.Combine(site.Root, ".mirror"));
        site.Write("cache/deep/file", "x");
        site.Write(".mirror/mark", "x");
        var root = await site.CaptureAsync(Touched(""));

        var captured = await site.CaptureAsync(Touched("cache/deep/file", ".mirror/mark", "cache"));

        Assert.DoesNotContain(LiveSite.Put(root), path => path.Contains("deep", StringComparison.Ordinal));
        Assert.DoesNotContain(LiveSite.Put(captured), path => path.Contains("mirror", StringComparison.Ordinal) || path.Contains("deep", StringComparison.Ordinal));
        Assert.Null((await site.CaptureAsync()).Version);
    }

    [Fact]
    public void However_a_tree_changes_looking_at_what_was_touched_finds_what_a_full_scan_finds() =>
        Gen.Int.Sample(
            seed => Task.Run(async () =>
            {
                var random = new Random(seed);
                await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("d0/f0", "0").File("d1/f1", "1").Hardlink("d1/l", "d0/f0").Symlink("s", "d0"));
                await site.CaptureAsync();
                var changes = new RandomChanges(site.Root, random);
                for (var round = 0; round < 4; round++)
                {
                    for (var step = random.Next(1, 12); step > 0; step--)
                    {
                        changes.Step();
                    }

                    await site.CaptureAsync(changes.Take(), allowMassDelete: true);
                    var full = await site.CaptureAsync(allowMassDelete: true);
                    Assert.True(full.Version is null, $"missed: {string.Join(", ", LiveSite.Put(full))}; not gone: {string.Join(", ", full.Delta.Removed)}; after {changes}");
                }
            }).GetAwaiter().GetResult(),
            iter: 40, threads: 1);

    private static TouchedPaths Touched(params string[] paths) => new(false, Paths(paths), Paths());

    private static HashSet<EntryPath> Paths(params string[] paths) => [.. paths.Select(EntryPath.Parse)];
}

/// <summary>
/// Changes a tree at random, and notes of each change what a watcher of directories would tell of it: the name that was used, and nothing of other names of the same file. So a name that
/// was given to a file since the last look stays: what is written through one that comes and goes between two looks only a full scan can find.
/// </summary>
internal sealed class RandomChanges(string root, Random random)
{
    private readonly HashSet<EntryPath> paths = [];
    private readonly HashSet<EntryPath> subtrees = [];
    private readonly List<string> links = [];
    private readonly List<string> steps = [];
    private int count;

    public TouchedPaths Take()
    {
        var taken = new TouchedPaths(false, paths.ToHashSet(), subtrees.ToHashSet());
        paths.Clear();
        subtrees.Clear();
        links.Clear();
        return taken;
    }

    public void Step()
    {
        var directory = Any(Directories())!;
        var name = Path.Combine(directory, "n" + random.Next(6));
        var file = Any(Files());
        switch (random.Next(10))
        {
            case 0 when !Exists(name):
                Directory.CreateDirectory(name);
                Note("mkdir", null, name);
                break;
            case 1 or 2 when !Directory.Exists(name) && !IsLink(name):
                File.WriteAllText(name, $"content {count++}");
                Note("write", name);
                break;
            case 3 when file is not null && !IsLink(file):
                File.AppendAllText(file, $"more {count++}");
                Note("append", file);
                break;
            case 4 when file is not null && MayGo(file):
                File.Delete(file);
                Note("delete", file);
                break;
            case 5 when file is not null && !Exists(name) && !IsLink(file):
                HardLink.Create(file, name);
                links.Add(name);
                Note("link", name);
                break;
            case 6 when file is not null && !IsLink(file) && !Directory.Exists(name) && file != name && MayGo(file) && MayGo(name):
                File.Move(file, name, overwrite: true);
                Note("rename", file, null, name);
                break;
            case 7 when !Exists(name):
                File.CreateSymbolicLink(name, "d0");
                Note("symlink", name);
                break;
            case 8 when directory != root && !Exists(name) && Any(Directories()) is { } from && from != root && MayGo(from) && !(name + "/").StartsWith(from + "/", StringComparison.Ordinal):
                Directory.Move(from, name);
                Note("move", from, name);
                break;
            case 9 when directory != root && MayGo(directory):
                Directory.Delete(directory, recursive: true);
                Note("rmdir", directory);
                break;
        }
    }

    public override string ToString() => string.Join("; ", steps);

    private bool MayGo(string path) => !links.Any(link => link == path || link.StartsWith(path + "/", StringComparison.Ordinal));

    private void Note(string what, string? path, string? subtree = null, string? other = null)
    {
        steps.Add($"{what} {path} {subtree} {other}");
        foreach (var one in new[] { path, other }.OfType<string>())
        {
            paths.Add(Relative(one));
        }

        if (subtree is not null)
        {
            subtrees.Add(Relative(subtree));
        }
    }

    private EntryPath Relative(string path) => EntryPath.Parse(Path.GetRelativePath(root, path));

    private List<string> Directories() => [root, .. Walk(root).Where(path => !IsLink(path) && Directory.Exists(path))];

    private List<string> Files() => [.. Walk(root).Where(path => IsLink(path) || File.Exists(path))];

    private static IEnumerable<string> Walk(string directory) => Directory.EnumerateFileSystemEntries(directory).Order(StringComparer.Ordinal)
        .SelectMany(path => !IsLink(path) && Directory.Exists(path) ? Walk(path).Prepend(path) : [path]);

    private T? Any<T>(List<T> all) => all.Count == 0 ? default : all[random.Next(all.Count)];

    private static bool IsLink(string path) => new FileInfo(path).LinkTarget is not null;

    private static bool Exists(string path) => File.Exists(path) || Directory.Exists(path) || IsLink(path);
}
