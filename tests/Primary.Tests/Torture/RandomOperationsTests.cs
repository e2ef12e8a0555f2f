using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Mirror.Primary.Capture;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;
using Xunit.Abstractions;

namespace Mirror.Primary.Tests.Torture;

/// <summary>
/// Captures of a tree that never holds still. Every version goes to a replica, is verified there byte by byte, and is held to what <see cref="CarefulApp"/> promises; when the last operation is done, one
/// more capture must make the replica identical. MIRROR_LONG=1 takes 200,000 operations, MIRROR_SEED other ones.
/// </summary>
public sealed class RandomOperationsTests(ITestOutputHelper output)
{
    private static readonly int seed = int.Parse(Environment.GetEnvironmentVariable("MIRROR_SEED") ?? "1", CultureInfo.InvariantCulture);
    private static readonly bool isLong = Environment.GetEnvironmentVariable("MIRROR_LONG") == "1";
    private static readonly int operations = isLong ? 200_000 : 6_000;
    private static readonly int heard = isLong ? operations : operations / 2;

    /// <summary>Operations that run beside one capture.</summary>
    private const int batch = 400;

    private const int patienceMinutes = 60;

    [Fact]
    public async Task Captures_while_everything_changes_are_whole_and_the_last_one_is_identical()
    {
        await using var site = await LiveSite.MakeAsync();
        var chaos = new Chaos(site);
        var follower = new Follower(site, await site.ReplicaAsync(), walked: true);
        var refused = new List<string>();
        for (var done = 0; done < operations; done += batch)
        {
            // Half of them begin with the walk, half with the reading; both go on into what comes after if they take longer.
            var first = Task.Run(() => chaos.Work(batch / 2));
            var second = Task.CompletedTask;
            try
            {
                var walk = await site.WalkAsync();
                await first;
                second = Task.Run(() => chaos.Work(batch / 2));
                await follower.TakeAsync(await site.CaptureAsync(time: TimeProvider.System, begun: walk));
            }
            catch (CaptureException failure)
            {
                refused.Add(failure.Message);
            }

            await Task.WhenAll(first, second);
        }

        await follower.TakeAsync(await site.CaptureAsync(time: TimeProvider.System));
        output.WriteLine($"seed {seed}: {chaos}; {follower}, {refused.Count} captures refused");
        Identical.Assert(site.Root, follower.Replica.HeadTree);

        // A directory that becomes a link under the walk is unknown, and whoever captures tries again; all else has to be taken as it comes.
        Assert.True(refused.Count <= operations / batch / 4, string.Join("\n", refused.Take(10)));
        Assert.All(refused, static message => Assert.Contains("cannot be read", message, StringComparison.Ordinal));
        await follower.RestoreSomeAsync(seed);
    }

    /// <summary>The same by the role, which hears of changes: when it has captured what was written last of all, it has missed nothing that was written before.</summary>
    [Fact]
    public async Task What_a_primary_hears_of_is_everything_that_happened()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(patienceMinutes));
        await using var site = await LiveSite.MakeAsync();
        var chaos = new Chaos(site);
        var follower = new Follower(site, await site.ReplicaAsync(), walked: false);
        await using var role = await site.EnterAsync();
        var work = Task.Run(async () =>
        {
            for (var done = 0; done < heard; done += batch)
            {
                var seen = role.Newest?.Id ?? default;
                chaos.Work(batch);
                if (done % (10 * batch) == 0)
                {
                    await role.NewerThanAsync(seen, limit.Token);
                }
            }

            site.Write("last of all", "here");
        });
        _ = work.ContinueWith(_ => limit.Cancel(), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        _ = role.Watching.ContinueWith(
            fault =>
            {
                output.WriteLine($"The primary captures no more: {fault.Exception}");
                limit.Cancel();
            },
            CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        var last = EntryPath.Parse("last of all");
        while (site.Store.HeadManifest.Find(last) is null || !follower.IsUpToDate(role))
        {
            if (follower.IsUpToDate(role))
            {
                await role.NewerThanAsync(follower.Replica.Head?.Id ?? default, limit.Token);
            }

            await follower.TakeAsync(role);
        }

        await work;
        output.WriteLine($"seed {seed}: {chaos}; {follower}");
        Identical.Assert(site.Root, follower.Replica.HeadTree);

        // What nobody heard of, a look at everything would find.
        Assert.Null(await role.CaptureAsync(allowMassDelete: false, limit.Token));
    }

    /// <summary>What happens to the live tree, and what must never be in a version of it.</summary>
    private sealed class Chaos
    {
        /// <summary>A content that lies outside of the tree, where links of the tree lead to.</summary>
        private const string secret = "nobody's business but the server's";

        private readonly RandomOperations random;
        private readonly CarefulApp app;

        public Chaos(LiveSite site)
        {
            var outside = site.Files.Make("outside");
            foreach (var name in Enumerable.Range(0, 400).Select(static number => $"f{number}").Append("secret"))
            {
                File.WriteAllText(Path.Combine(outside, name), secret);
            }

            // So many that lie still that nothing that random operations do to the others looks like an accident.
            var ballast = Directory.CreateDirectory(Path.Combine(site.Root, "ballast")).FullName;
            for (var number = 0; number < RandomOperations.MostPaths; number++)
            {
                File.WriteAllText(Path.Combine(ballast, $"{number}"), $"{number}");
            }

            random = new RandomOperations(Directory.CreateDirectory(Path.Combine(site.Root, "random")).FullName, outside, seed);
            app = new CarefulApp(Path.Combine(site.Root, "app"), seed);
            for (var step = 0; step < 1000; step++)
            {
                random.Step();
            }
        }

        public static ContentHash Secret { get; } = ContentHash.From(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));

        public void Work(int steps)
        {
            for (var step = 0; step < steps; step++)
            {
                random.Step();
                if (step % 4 == 0)
                {
                    app.Step();
                }
            }
        }

        public override string ToString() =>
            $"{random.Done.Values.Sum()} operations ({string.Join(", ", random.Done.Select(static kind => $"{kind.Key} {kind.Value}"))}), {random.Paths} paths at the end";
    }

    /// <summary>A replica, and what each version that comes to it is held to.</summary>
    private sealed class Follower(LiveSite site, VersionStore replica, bool walked)
    {
        private int versions;
        private int unstable;
        private long log;

        public VersionStore Replica => replica;

        public bool IsUpToDate(PrimaryRole role) => role.Newest is not { } newest || newest.Id == replica.Head?.Id;

        public async Task TakeAsync(CaptureResult captured)
        {
            if (captured.Pack is { } pack)
            {
                await TakeAsync(pack);
            }
        }

        public async Task TakeAsync(PrimaryRole role)
        {
            while (role.TryNext(replica.Head?.Id ?? default, replica.Head?.Root ?? default, out _) is { } pack)
            {
                await TakeAsync(pack.Path);
            }
        }

        /// <summary>Versions long gone come back as they were: the replica worked out how to while it took in the next ones.</summary>
        public async Task RestoreSomeAsync(int seed)
        {
            var random = new Random(seed);
            for (var number = 0; number < 5; number++)
            {
                var version = replica.Versions[random.Next(replica.Versions.Count)].Record.Id;
                var restored = site.Files[$"restored-{number}"];
                await replica.RestoreAsync(version, restored, null, CancellationToken.None);
                CarefulApp.Check(Path.Combine(restored, "app"), $"version {version}, restored,", walked, 0);
            }
        }

        public override string ToString() => $"{versions} versions, in which {unstable} files did not hold still";

        private async Task TakeAsync(string pack)
        {
            // Staging checks every content that comes; now and then all of them are read.
            await replica.StageAsync(pack, null, CancellationToken.None);
            await replica.FlipAsync(CancellationToken.None);
            if (versions++ % 10 == 0)
            {
                await LiveSite.AssertCleanAsync(replica);
            }

            unstable += replica.HeadManifest.Entries.Count(static entry => entry.Unstable);
            log = CarefulApp.Check(Path.Combine(replica.HeadTree, "app"), $"version {replica.Head!.Id}", walked, log);
            Assert.True(replica.HeadManifest.FindContent(Chaos.Secret) is null, $"version {replica.Head.Id} holds a file that is not in the tree: a link was followed");
        }
    }
}
