using Mirror.Store.Retention;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;
using Xunit.Abstractions;

namespace Mirror.Store.Tests.Retention;

/// <summary>Every change of the disk that working on the history makes fails once, in turn: what is left is exactly what was or what was to be, and no pack without an owner.</summary>
public sealed class ThinningCrashTests(ITestOutputHelper output)
{
    private static readonly int[] before = [1, 2, 3, 4, 5];

    /// <summary>States of a history whose every version was restored already: most failures leave one of two.</summary>
    private readonly HashSet<string> restored = [];

    public static TheoryData<string, bool> Works
    {
        get
        {
            var data = new TheoryData<string, bool>();
            foreach (var work in new[] { "thin", "key frame", "replace key frame", "undo", "undo behind", "budget", "protect" })
            {
                data.Add(work, true);
                data.Add(work, false);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Works))]
    public async Task After_a_failure_at_any_change_of_the_disk_the_history_is_exactly_the_old_or_the_new_one(string work, bool machineDies)
    {
        var points = new List<string>();
        var (was, willBe) = (before, Outcome(work));
        using var template = await PrepareAsync(work);
        for (var failAt = 1; ; failAt++)
        {
            using var site = template.Copy();
            var disk = new FailingDisk(failAt, machineDies);
            var failed = false;
            await using (var store = await site.OpenAsync(disk))
            {
                disk.Armed = true;
                failed = await Crashing.FailsAsync(() => RunAsync(store, work));
                disk.Armed = false;
                if (failed)
                {
                    points.Add(disk.Failed!);
                }

                if (!machineDies)
                {
                    await AssertOldOrNewAsync(site, store, work, was, willBe, $"{work}, in process, at {failAt} ({disk.Failed})");
                }
            }

            await using var reopened = await site.OpenAsync();
            await AssertOldOrNewAsync(site, reopened, work, was, willBe, $"{work}, after restart, at {failAt} ({disk.Failed})");
            if (!failed)
            {
                output.WriteLine($"{work}: {points.Count} failures injected ({(machineDies ? "machine dies" : "one change fails")}): {string.Join(", ", points.Distinct())}");
                Assert.True(points.Count >= (work == "protect" ? 3 : 8), $"only {points.Count} changes were seen");
                Assert.Equal(willBe, reopened.Versions.Select(version => (int)version.Record.Id.Sequence));
                return;
            }
        }
    }

    [Theory]
    [InlineData("thin")]
    [InlineData("undo behind")]
    public async Task Recovery_itself_may_be_interrupted_anywhere(string work)
    {
        var points = 0;
        using var template = await PrepareAsync(work);
        for (var crash = 1; ; crash += 3)
        {
            for (var failAt = 1; ; failAt++)
            {
                using var site = template.Copy();
                bool crashed;
                var dying = new FailingDisk(crash, forGood: true);
                await using (var store = await site.OpenAsync(dying))
                {
                    dying.Armed = true;
                    crashed = await Crashing.FailsAsync(() => RunAsync(store, work));
                }

                if (!crashed)
                {
                    output.WriteLine($"{points} failures injected into recovery from {work}");
                    Assert.True(points > 20);
                    return;
                }

                var disk = new FailingDisk(failAt, forGood: true) { Armed = true };
                var failed = await Crashing.FailsAsync(async () => await (await site.OpenAsync(disk)).DisposeAsync());
                await using var reopened = await site.OpenAsync();
                await AssertOldOrNewAsync(site, reopened, work, before, Outcome(work), $"{work} crashed at {crash}, recovery at {failAt} ({disk.Failed})");
                if (!failed)
                {
                    break;
                }

                points++;
            }
        }
    }

    private static int[] Outcome(string work) => work switch
    {
        "thin" => [2, 4, 5],
        "undo" or "undo behind" => [1, 2, 3, 4],
        _ => before,
    };

    private static async Task<ThinnedSite> PrepareAsync(string work)
    {
        var site = new ThinnedSite();
        await using (var store = await site.OpenAsync())
        {
            await site.AddManyAsync(store, before.Length);
            if (work is "thin" or "budget")
            {
                // One that has to move on to an older version, and two that stay.
                foreach (var sequence in new[] { 3, 4, 5 })
                {
                    await store.MakeKeyFrameAsync(ThinnedSite.Id(sequence), null, CancellationToken.None);
                }
            }
            else if (work == "replace key frame")
            {
                await store.MakeKeyFrameAsync(ThinnedSite.Id(2), null, CancellationToken.None);
            }
            else if (work == "undo behind")
            {
                // The idle slot is not there any more.
                await store.BeginCapturingAsync(CancellationToken.None);
                await store.EndCapturingAsync(site.Site.Files["root"], ThinnedSite.Id(before.Length), store.HeadManifest, null, "not at all", CancellationToken.None);
                await store.NoteAsync(ThinnedSite.Id(before.Length), "", CancellationToken.None);
            }
        }

        if (work == "replace key frame")
        {
            await File.WriteAllTextAsync(Path.Combine(site.HistoryDirectory, "0.0-1.2.pack"), "damaged");
        }

        return site;
    }

    private static Task RunAsync(VersionStore store, string work) => work switch
    {
        "thin" => store.ForgetAsync([.. new[] { 1, 3 }.Select(ThinnedSite.Id)], dryRun: false, null, CancellationToken.None),
        "key frame" => store.MakeKeyFrameAsync(ThinnedSite.Id(3), null, CancellationToken.None),
        "replace key frame" => store.MakeKeyFrameAsync(ThinnedSite.Id(2), null, CancellationToken.None),
        "budget" => store.ApplyRetentionAsync(
            new RetentionPolicy { Budget = new DirectoryInfo(Path.Combine(store.Directory, "history")).EnumerateFiles().Sum(file => file.Length) - 1 }, 0, dryRun: false, null, CancellationToken.None),
        "protect" => store.ProtectAsync(ThinnedSite.Id(2), "for good", CancellationToken.None),
        _ => store.ForgetNewestAsync(null, CancellationToken.None),
    };

    private async Task AssertOldOrNewAsync(ThinnedSite site, VersionStore store, string work, int[] was, int[] willBe, string where)
    {
        try
        {
            var held = store.Versions.Select(version => (int)version.Record.Id.Sequence).ToList();
            Assert.True(held.SequenceEqual(was) || held.SequenceEqual(willBe), $"it holds {string.Join(" ", held)}");
            Assert.Equal(held[^1], (int)store.Head!.Id.Sequence);
            Assert.Equal(store.Head, store.Current);
            TreeAssert.Holds(ThinnedSite.Tree(held[^1]), store.CurrentLink);
            TreeAssert.Holds(ThinnedSite.Tree(held[^1]), store.HeadTree);
            if (work == "replace key frame" && (await store.VerifyAsync(readData: false, null, CancellationToken.None)).Count > 0)
            {
                await store.MakeKeyFrameAsync(ThinnedSite.Id(2), null, CancellationToken.None);
            }

            await VersionedSite.AssertCleanAsync(store);
            Assert.All(store.Versions, version => Assert.True(version.Restorable));
            if (restored.Add(string.Join(' ', held) + site.HistoryDigest()))
            {
                foreach (var version in store.Versions)
                {
                    await site.Site.AssertRestoresAsync(store, version.Record);
                }
            }

            // No file that is not the index's, and none of the index's that is not there.
            Assert.Equal(store.PackFiles.Order(StringComparer.Ordinal), site.HistoryFiles());
        }
        catch (Exception error)
        {
            throw new InvalidOperationException($"{where}: {error.Message}", error);
        }
    }
}
