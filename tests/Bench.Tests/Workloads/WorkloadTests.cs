using System.Security.Cryptography;
using Mirror.Bench.Workloads;
using Mirror.Testing;

namespace Mirror.Bench.Tests.Workloads;

public sealed class WorkloadTests : IDisposable
{
    private const double Tiny = 0.001;

    private readonly TemporaryDirectory _directory = new();

    public static TheoryData<string> Names => [.. Workload.All.Select(workload => workload.Name)];

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_workload_is_the_same_whenever_and_wherever_it_is_made(string name)
    {
        var one = await MakeAsync(name, "one");
        var other = await MakeAsync(name, "other");

        Assert.Equal(Contents(one.Path), Contents(other.Path));
        Assert.NotEqual(Contents(one.Version(1)), Contents(one.Version(2)));
    }

    [Fact]
    public async Task What_is_there_is_used_again_unless_another_scale_is_wanted()
    {
        var folder = await MakeAsync("log", "work");
        var first = File.GetCreationTimeUtc(folder.Path);
        var length = new FileInfo(folder.File(1, LogFile.FileName)).Length;

        await MakeAsync("log", "work");
        Assert.Equal(first, File.GetCreationTimeUtc(folder.Path));

        await Workload.Named("log").EnsureAsync(new(_directory["work"], 2 * Tiny, Synthetic: true), TextWriter.Null);
        Assert.Equal(2.0, (double)new FileInfo(folder.File(1, LogFile.FileName)).Length / length, 3);
    }

    [Fact]
    public async Task An_updated_row_of_a_dump_leaves_its_place_and_returns_at_the_end_with_its_filler()
    {
        foreach (var name in new[] { "dump", "dumphex" })
        {
            var folder = await MakeAsync(name, "work");
            var before = Rows(folder.File(1, DumpKind.FileName));
            var after = Rows(folder.File(2, DumpKind.FileName));
            var updated = before.Except(after).Select(row => row.Split('\t')).ToDictionary(row => row[0]);

            Assert.NotEmpty(updated);
            Assert.Equal(before.Where(row => !updated.ContainsKey(row.Split('\t')[0])), after.Take(before.Length - updated.Count));
            var moved = after.TakeLast(updated.Count).Select(row => row.Split('\t')).ToArray();
            Assert.Equal(updated.Keys.Order(), moved.Select(row => row[0]).Order());
            Assert.All(moved, row => Assert.Equal(updated[row[0]][3], row[3]));
            Assert.All(moved, row => Assert.Equal(84, row[3].Length));
        }
    }

    [Fact]
    public async Task A_big_file_s_versions_share_nearly_all_their_bytes_and_the_newer_one_is_longer()
    {
        // Large enough that its edits lie far apart.
        await Workload.Named("bigfile").EnsureAsync(new(_directory["work"], 0.02, Synthetic: true), TextWriter.Null);
        var folder = new VersionFolder(_directory["work"], "bigfile");
        var (old, now) = (File.ReadAllBytes(folder.File(1, BigFile.FileName)), File.ReadAllBytes(folder.File(2, BigFile.FileName)));
        var pieces = Enumerable.Range(0, old.Length / 4096).Count(piece => now.AsSpan().IndexOf(old.AsSpan(piece * 4096, 4096)) >= 0);

        Assert.InRange(pieces, old.Length / 4096 * 0.9, (old.Length / 4096) - 200);
        Assert.InRange(now.Length, old.Length, old.Length * 1.02);
    }

    [Fact]
    public async Task A_log_only_grows_and_its_rotated_part_is_what_it_was()
    {
        var folder = await MakeAsync("log", "work");
        var (old, now) = (File.ReadAllBytes(folder.File(1, LogFile.FileName)), File.ReadAllBytes(folder.File(2, LogFile.FileName)));

        Assert.True(now.AsSpan().StartsWith(old) && now.Length > old.Length);
        Assert.Equal(now, File.ReadAllBytes(folder.File(3, LogFile.FileName + ".1")));
    }

    [Fact]
    public async Task A_tree_has_files_added_removed_and_modified_and_what_is_kept_keeps_its_time()
    {
        await Workload.Named("tree").EnsureAsync(new(_directory["work"], 0.02, Synthetic: true), TextWriter.Null);
        var folder = new VersionFolder(_directory["work"], "tree");
        var (first, second, third) = (Contents(folder.Version(1)), Contents(folder.Version(2)), Contents(folder.Version(3)));
        var kept = first.Keys.Where(name => second.TryGetValue(name, out var hash) && hash == first[name]).ToArray();

        Assert.Equal(956, first.Count);
        Assert.Equal(66, second.Keys.Except(first.Keys).Count());
        Assert.Equal(11, first.Keys.Except(second.Keys).Count());
        Assert.Equal(108, first.Count - 11 - kept.Length);
        Assert.All(kept, name => Assert.Equal(File.GetLastWriteTimeUtc(Path.Combine(folder.Version(1), name)), File.GetLastWriteTimeUtc(Path.Combine(folder.Version(2), name))));
        Assert.Equal(second.Select(file => (file.Key.Replace("modules/", "modules-renamed/"), file.Value)).Order(), third.Select(file => (file.Key, file.Value)).Order());
        Assert.InRange(second.Keys.Count(name => name.StartsWith("modules/", StringComparison.Ordinal)), second.Count / 10, second.Count / 3);
    }

    private Task<VersionFolder> MakeAsync(string name, string work) =>
        Workload.Named(name).EnsureAsync(new(_directory[work], Tiny, Synthetic: true), TextWriter.Null);

    private static string[] Rows(string file) => [.. File.ReadLines(file).Where(line => line.Length > 0 && char.IsAsciiDigit(line[0]))];

    private static SortedDictionary<string, string> Contents(string folder) =>
        new(
            Directory.GetFiles(folder, "*", SearchOption.AllDirectories).ToDictionary(file => Path.GetRelativePath(folder, file), file => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)))),
            StringComparer.Ordinal);
}
