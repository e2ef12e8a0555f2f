using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;
using Xunit.Abstractions;

namespace Mirror.Store.Tests.Faults;

/// <summary>
/// Readers while versions are staged and flipped. The store is held up before each operation of its disk until the readers have done all of their work: if one of them
/// needed anything that the work under way has, neither would ever end.
/// </summary>
public sealed class ReadersBesideApplyTests(ITestOutputHelper output)
{
    private static readonly TimeSpan never = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task At_every_operation_of_staging_and_flipping_readers_see_whole_versions_and_wait_for_nobody()
    {
        using var site = new FaultSite();
        Directory.CreateDirectory(site.Disk);
        foreach (var version in Enumerable.Range(1, 6))
        {
            site.Site.Add(Tree(version));
        }

        VersionStore? store = null;
        var (looks, restores, gate) = (0, 0, false);
        var disk = new GatedDisk(op =>
        {
            if (gate && !op.StartsWith("restore", StringComparison.Ordinal))
            {
                gate = false;
                Task.Run(() => ReadEverythingAsync(op)).WaitAsync(never).GetAwaiter().GetResult();
                gate = true;
            }
        });
        await using (store = await site.OpenAsync(disk))
        {
            await StageNextAsync(site, store);
            await store.FlipAsync(CancellationToken.None);
            gate = true;
            for (var version = 2; version <= 6; version++)
            {
                await StageNextAsync(site, store);
                await store.FlipAsync(CancellationToken.None);
            }

            gate = false;
        }

        output.WriteLine($"{looks} times in the middle of the work: current read whole, versions listed, {restores} restored");
        Assert.True(looks > 100);

        async Task ReadEverythingAsync(string op)
        {
            looks++;

            // By the link, as an app's web server does: exactly one version, whatever happens to the other slot.
            var seen = TreeLiteral.ReadFrom(store!.CurrentLink).ToManifest().Root;
            var versions = store.Versions;
            Assert.Contains(seen, new[] { store.Current!.Root, store.Head!.Root });
            Assert.True(op.StartsWith("flip", StringComparison.Ordinal) || seen == store.Current.Root, op);

            var chosen = versions[looks % versions.Count].Record;
            Assert.Equal(chosen.Root, store.ManifestOf(chosen.Id).Root);
            await RestoreAsync(site, store, chosen, $"restored-{looks}");
            restores++;
        }
    }

    [Fact]
    public async Task Restores_and_checks_that_run_all_the_time_are_right_while_versions_come_in()
    {
        const int Last = 40;
        using var site = new FaultSite();
        Directory.CreateDirectory(site.Disk);
        foreach (var version in Enumerable.Range(1, Last))
        {
            site.Site.Add(Tree(version));
        }

        await using var store = await site.OpenAsync();
        await StageNextAsync(site, store);
        await store.FlipAsync(CancellationToken.None);

        // Each reader works at least until the last version is current; the writer never waits for one.
        using var arrived = new CancellationTokenSource();
        var restorer = Task.Run(async () =>
        {
            var done = 0;
            for (var random = new Random(1); done < 10 || !arrived.IsCancellationRequested; done++)
            {
                var versions = store.Versions;
                await RestoreAsync(site, store, versions[random.Next(versions.Count)].Record, "restored");
            }

            return done;
        });
        var checker = Task.Run(async () =>
        {
            var done = 0;
            for (; done < 5 || !arrived.IsCancellationRequested; done++)
            {
                await VersionedSite.AssertCleanAsync(store);
            }

            return done;
        });
        var server = Task.Run(() => Serve(site, store, arrived.Token));
        try
        {
            for (var version = 2; version <= Last; version++)
            {
                await StageNextAsync(site, store);
                await store.FlipAsync(CancellationToken.None);
            }
        }
        finally
        {
            await arrived.CancelAsync();
        }

        output.WriteLine($"{Last} versions while {await restorer} were restored, {await checker} times all was verified, {await server} pages were read");
        Assert.Equal(site.Version(Last), store.Current);
    }

    /// <summary>One page after another by the link: each is whole, and never older than the one before.</summary>
    private static int Serve(FaultSite site, VersionStore store, CancellationToken arrived)
    {
        var pages = site.Site.Versions.Select(version => System.Text.Encoding.UTF8.GetString(version.Tree["page"].Content)).ToList();
        var newest = 0;
        var read = 0;
        while (!arrived.IsCancellationRequested || read < 10)
        {
            var page = pages.IndexOf(File.ReadAllText(Path.Combine(store.CurrentLink, "page")));
            Assert.True(page >= newest, $"page {page} after {newest}");
            newest = page;
            read++;
        }

        return read;
    }

    private static TreeLiteral Tree(int version) => Enumerable.Range(0, 6)
        .Aggregate(TreeLiteral.Empty, (tree, file) => tree.File($"d/{file}", SampleTrees.Text((version / (file + 1)) + (file * 1000), 3_000)))
        .File("page", $"version {version}")
        .File(version % 2 == 0 ? "here" : "there", SampleTrees.Text(77, 2_000));

    private static async Task StageNextAsync(FaultSite site, VersionStore store)
    {
        var next = site.Version((store.Head?.Id.Sequence ?? 0) + 1);
        await store.StageAsync(await site.PackAsync(store.Head, next), null, CancellationToken.None);
    }

    private static async Task RestoreAsync(FaultSite site, VersionStore store, VersionRecord version, string name)
    {
        var destination = Path.Combine(site.Disk, name);
        await store.RestoreAsync(version.Id, destination, null, CancellationToken.None);
        TreeAssert.Holds(site.Site.TreeOf(version.Id), destination);
        site.Clear(destination);
        Directory.Delete(destination);
    }
}
