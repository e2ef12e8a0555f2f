using System.Security.Cryptography;
using System.Text;
using Mirror.Node.Configuration;
using Mirror.Primary.Watch;
using Mirror.Store.Manifests;
using Mirror.Testing;
using Mirror.Testing.Trees;
using Xunit.Abstractions;

namespace Mirror.Primary.Tests;

/// <summary>What was written before the call is in the version it names; by the watcher's word, and not by looking at everything.</summary>
public sealed class BarrierTests(ITestOutputHelper output)
{
    private static readonly int rounds = Environment.GetEnvironmentVariable("MIRROR_LONG") == "1" ? 1000 : 150;
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(10);

    [Fact]
    public async Task Each_write_just_before_is_in_the_version_it_names()
    {
        await using var site = await LiveSite.MakeAsync(Many(500));
        await using var role = await site.EnterAsync();
        using var limit = new CancellationTokenSource(patience);
        await WatchedAsync(role, limit.Token);
        var (fully, took) = (0, new List<double>());
        for (var round = 0; round < rounds; round++)
        {
            // Written anew, appended to, replaced by a rename, and in a directory that is made for it.
            var path = (round % 4) switch { 0 => "d1/again", 1 => "d2/log", 2 => "d3/replaced", _ => $"made{round}/deep/er/file" };
            var file = Path.Combine(site.Root, path);
            switch (round % 4)
            {
                case 1:
                    File.AppendAllText(file, $"{round}\n");
                    break;
                case 2:
                    File.WriteAllText(file + ".tmp", $"{round}");
                    File.Move(file + ".tmp", file, overwrite: true);
                    break;
                default:
                    Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                    File.WriteAllText(file, $"{round}");
                    break;
            }

            var expected = ContentHash.From(SHA256.HashData(File.ReadAllBytes(file)));
            var outcome = await role.BarrierAsync(false, limit.Token);
            var entry = site.Store.ManifestOf(outcome.Newest.Id).Find(EntryPath.Parse(path));
            Assert.True(entry?.Hash == expected, $"round {round}: {path} is not in {outcome.Newest.Id}, or not as it was written");
            fully += outcome.Everything ? 1 : 0;
            took.Add(outcome.Took.TotalMilliseconds);
        }

        took.Sort();
        output.WriteLine($"{rounds} barriers, {fully} of them looked at everything; median {took[took.Count / 2]:F1} ms, the slowest {took[^1]:F1} ms");
        Assert.True(fully <= rounds / 20, $"{fully} of {rounds} looked at everything");
        Assert.Null(await role.CaptureAsync(false, limit.Token));
    }

    [Fact]
    public async Task Many_callers_at_once_each_find_what_they_wrote()
    {
        await using var site = await LiveSite.MakeAsync(Many(50));
        await using var role = await site.EnterAsync();
        using var limit = new CancellationTokenSource(patience);
        await WatchedAsync(role, limit.Token);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(caller => Task.Run(async () =>
        {
            for (var round = 0; round < rounds / 15; round++)
            {
                var path = $"d{caller}/{round}";
                site.Write(path, $"{caller} {round}");
                var outcome = await role.BarrierAsync(false, limit.Token);
                Assert.NotNull(site.Store.ManifestOf(outcome.Newest.Id).Find(EntryPath.Parse(path)));
            }
        })));
    }

    [Fact]
    public async Task Without_a_watcher_it_looks_at_everything()
    {
        await using var site = await LiveSite.MakeAsync(Many(10));
        await using var role = await site.EnterAsync(capture: CaptureConfig.Default with { OnChange = false });
        using var limit = new CancellationTokenSource(patience);
        site.Write("d1/new", "1");

        var outcome = await role.BarrierAsync(false, limit.Token);

        Assert.True(outcome.Everything);
        Assert.NotNull(site.Store.ManifestOf(outcome.Newest.Id).Find(EntryPath.Parse("d1/new")));
    }

    [Fact]
    public async Task What_a_failed_one_was_to_look_at_is_captured_all_the_same()
    {
        await using var site = await LiveSite.MakeAsync(Many(10));
        var broken = site.Files["broken"];
        site.Config = site.Config with { Hooks = new HooksConfig(["/bin/sh", "-c", $"[ ! -e {broken} ]"], [], TimeSpan.FromMinutes(1)) };
        await using var role = await site.EnterAsync();
        using var limit = new CancellationTokenSource(patience);
        await WatchedAsync(role, limit.Token);
        File.WriteAllText(broken, "");
        site.Write("d1/new", "1");

        await Assert.ThrowsAsync<Primary.Capture.CaptureException>(() => role.BarrierAsync(false, limit.Token));
        File.Delete(broken);

        // Nobody touches it again, and nobody asks again.
        while (site.Store.HeadManifest.Find(EntryPath.Parse("d1/new")) is null)
        {
            await Task.Delay(10, limit.Token);
        }
    }

    // The watch has begun with its look at everything.
    private static async Task WatchedAsync(PrimaryRole role, CancellationToken cancellation)
    {
        while ((await role.BarrierAsync(false, cancellation)).Everything)
        {
            await Task.Delay(10, cancellation);
        }
    }

    private static TreeLiteral Many(int files) =>
        Enumerable.Range(0, files).Aggregate(TreeLiteral.Empty, (so, number) => so.File($"d{number % 10}/{number}", Encoding.UTF8.GetBytes($"{number}")));
}
