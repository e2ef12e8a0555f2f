using System.Globalization;
using Mirror.Primary.Watch;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Testing.Trees;
using Xunit.Abstractions;

namespace Mirror.Primary.Tests.Torture;

/// <summary>
/// Captures that look at nothing but what was named in an operation, as the kernel names it: whatever else changed with it (other names of the file, what lies in a directory that moved, times of
/// directories) must be found from that. A look at everything, now and then, must find nothing more.
/// </summary>
public sealed class TouchedOperationsTests(ITestOutputHelper output)
{
    private static readonly int seed = int.Parse(Environment.GetEnvironmentVariable("MIRROR_SEED") ?? "1", CultureInfo.InvariantCulture);
    private static readonly int operations = Environment.GetEnvironmentVariable("MIRROR_LONG") == "1" ? 200_000 : 4_000;

    [Fact]
    public async Task A_look_at_what_was_touched_leaves_nothing_for_a_look_at_everything()
    {
        await using var site = await LiveSite.MakeAsync();
        var touched = new HashSet<EntryPath>();
        var came = new HashSet<EntryPath>();
        var live = new RandomOperations(Directory.CreateDirectory(Path.Combine(site.Root, "random")).FullName, site.Files.Make("outside"), seed)
        {
            Touched = path => touched.Add(EntryPath.Parse(path.Length == 0 ? "random" : "random/" + path)),
            Came = path => came.Add(EntryPath.Parse("random/" + path)),
        };
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, (await site.CaptureAsync(time: TimeProvider.System)).Pack!);
        var sizes = new Random(seed);
        var (done, looks, checks) = (0, 0, 0);
        while (done < operations)
        {
            for (var size = sizes.Next(1, sizes.Next(5) == 0 ? 400 : 30); size > 0; size--, done++)
            {
                live.Step();
            }

            looks++;
            var captured = await site.CaptureAsync(new TouchedPaths(false, new HashSet<EntryPath>(touched), new HashSet<EntryPath>(came)), allowMassDelete: true, TimeProvider.System);
            touched = [.. captured.Unsettled];
            came.Clear();
            if (looks % 10 == 0 || done >= operations)
            {
                checks++;
                var before = site.Store.HeadManifest;
                var all = await site.CaptureAsync(allowMassDelete: true, TimeProvider.System);
                Assert.True(
                    all.Version is null,
                    $"seed {seed}, after {done} operations a look at everything found {string.Join("; ", all.Delta.Put.Take(20).Select(entry => Difference(before.Find(entry.Path), entry)))}; gone: {string.Join(", ", all.Delta.Removed.Take(20))}");
            }

            if (captured.Pack is { } pack)
            {
                await replica.StageAsync(pack, null, CancellationToken.None);
                await replica.FlipAsync(CancellationToken.None);
            }
        }

        output.WriteLine($"seed {seed}: {done} operations, {looks} looks at what was touched, {checks} at everything");
        await LiveSite.AssertCleanAsync(replica);
        Identical.Assert(site.Root, replica.HeadTree);
    }

    private static string Difference(Entry? before, Entry now) => before is null ? $"{now.Path} is new" : $"{now.Path}: {string.Join(", ", EntryDifference.Between(before, now))}";
}
