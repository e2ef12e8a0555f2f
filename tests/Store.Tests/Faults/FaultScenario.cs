using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Tests.Laws;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Tree;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Faults;

/// <param name="Unflipped">What this step and those before it staged is taken back when it fails in the middle: nobody was told yet that it is current.</param>
internal sealed record FaultStep(string Name, Func<FaultSite, VersionStore, Task> RunAsync, bool Unflipped = false);

/// <summary>
/// Work that a store does, step by step. Each step can be done again when it did not happen. Whatever fails in it, the store is afterwards as it was
/// before the step or as it is after it.
/// </summary>
/// <param name="Prepare">Makes what the steps start from.</param>
/// <param name="TrustedFrom">The number of steps after which no tree is damaged by the scenario itself.</param>
/// <param name="KnowsInodes">It remembers inodes by their numbers, and so cannot be put on another disk, as states after a power cut are.</param>
internal sealed record FaultScenario(string Name, Func<FaultSite, Task> Prepare, IReadOnlyList<FaultStep> Steps, int TrustedFrom = 0, bool KnowsInodes = false)
{
    // Both slots come to it that a directory moves; then two of them trade places.
    private static readonly TreeLiteral[] movedTrees = Moving();

    public static IReadOnlyList<FaultScenario> All { get; } =
    [
        new("first versions", site => PrepareAsync(site, held: 0),
        [
            Stage(1), Flip(), Stage(2), Flip(),
        ]),
        new("stage and flip", site => PrepareAsync(site, held: 1),
        [
            Stage(2, unflipped: true), Stage(3, unflipped: true), Flip(), Stage(4, unflipped: true), Flip(),
        ]),
        new("directories move", site => PrepareAsync(site, held: 2, movedTrees),
        [
            Stage(3, unflipped: true), Flip(), Stage(4, unflipped: true), Flip(), Stage(5),
        ]),
        new("heal", PrepareDamagedAsync,
        [
            new("heal", async (site, store) => await store.StageAsync(await site.ReceiveAsync(store, null, site.Version(2)), null, CancellationToken.None), Unflipped: true),
            Flip(), Stage(3), Flip(),
        ],
        TrustedFrom: 2),
        new("capture and rejoin", site => PrepareAsync(site, held: 0),
        [
            new("begin capturing", async (site, store) =>
            {
                site.Rewrite(site.Root, Crashing.Trees[0]);
                await store.BeginCapturingAsync(site.Root, CancellationToken.None);
            }),
            Capture(1), Capture(2), Capture(3),
            new("rejoin", async (site, store) =>
            {
                site.Rewrite(site.Root, Crashing.Trees[3]);
                await RejoinAsync(site, store, common: 2, branch: 4);
            }),
            new("fill", async (site, store) => await store.StageAsync(await site.ReceiveAsync(store, null, site.Version(1, epoch: 2)), null, CancellationToken.None), Unflipped: true),
            Flip(),
        ]),
        new("promote", site => PrepareAsync(site, held: 2),
        [
            new("adopt root link", (site, store) => store.AdoptRootLinkAsync(site.Root, CancellationToken.None)),
            new("go live", (_, store) => store.BeginCapturingAsync(CancellationToken.None)),
            new("capture", (site, store) => CaptureAsync(site, store, store.CurrentTree!, 3)),
            new("retire", (site, store) => store.EndCapturingAsync(site.Root, store.Head!.Id, store.HeadManifest, null, "", CancellationToken.None)),
            Stage(4, unflipped: true), Flip(),
        ]),
        new("thin and take back", site => PrepareAsync(site, held: 4),
        [
            new("forget", (site, store) => store.ForgetAsync([site.Version(2).Id], dryRun: false, null, CancellationToken.None)),
            new("key frame", (site, store) => store.MakeKeyFrameAsync(site.Version(1).Id, null, CancellationToken.None)),
            new("protect", (site, store) => store.ProtectAsync(site.Version(1).Id, "a test needs it", CancellationToken.None)),
            new("take back", (_, store) => store.ForgetNewestAsync(null, CancellationToken.None)),
            new("take back again", (_, store) => store.ForgetNewestAsync(null, CancellationToken.None)),
            new("unprotect", (site, store) => store.UnprotectAsync(site.Version(1).Id, CancellationToken.None)),
            Stage(2), Flip(),
        ]),
        new("restore", site => PrepareAsync(site, held: 4),
        [
            Restore(1), Restore(4), Restore(2),
            new("note", (site, store) => store.NoteAsync(site.Version(2).Id, "unhealthy: no", CancellationToken.None)),
        ]),
        new("restore in place", async site =>
        {
            await PrepareAsync(site, held: 4);
            TreeLiteral.Empty.File("page", "mine").File("only/here", "kept").WriteTo(site.InPlace[0]);
            await File.WriteAllTextAsync(site.InPlace[1], "my own single file");
        },
        [
            RestoreInPlace(1), Confirm(0), RestoreInPlace(4), Undo(0), RestoreInPlace(2, "big"), Confirm(1), RestoreInPlace(1, "big"), Undo(1),
        ],
        KnowsInodes: true),
    ];

    private static TreeLiteral[] Moving()
    {
        var first = Enumerable.Range(0, 6).Aggregate(TreeLiteral.Empty.File("page", "one"), (tree, at) => tree.File($"d/a/{at}", $"a {at}").File($"d/a/sub/{at}", $"sub {at}").File($"d/b/{at}", $"b {at}"));
        var second = first.File("page", "two").File("d/a/3", "changed");
        var third = MovedDirectories.Moved(second, ("d/a", "e")).File("e/4", "changed too");
        var fourth = third.File("page", "four").Without("e/sub/5");
        return [first, second, third, fourth, MovedDirectories.Moved(fourth, ("e", "d/b"), ("d/b", "e"))];
    }

    public static FaultScenario Named(string name) => All.Single(scenario => scenario.Name == name);

    private static async Task PrepareAsync(FaultSite site, ulong held, TreeLiteral[]? life = null)
    {
        foreach (var tree in life ?? Crashing.Trees)
        {
            site.Site.Add(tree);
        }

        site.Site.Add((life ?? Crashing.Trees)[1].File("from the new primary", "x"), new VersionId(2, 1), site.Version(2));
        Directory.CreateDirectory(site.Disk);
        if (held == 0)
        {
            return;
        }

        await using var store = await site.OpenAsync();
        for (ulong sequence = 1; sequence <= held; sequence++)
        {
            await StageAsync(site, store, sequence);
            await store.FlipAsync(CancellationToken.None);
        }
    }

    private static async Task PrepareDamagedAsync(FaultSite site)
    {
        await PrepareAsync(site, held: 2);
        var file = Path.Combine(site.StoreDirectory, "current", "page");
        var time = File.GetLastWriteTimeUtc(file);
        await File.WriteAllTextAsync(file, "Two");
        File.SetLastWriteTimeUtc(file, time);
    }

    private static FaultStep Stage(ulong sequence, bool unflipped = false) => new($"stage {sequence}", (site, store) => StageAsync(site, store, sequence), unflipped);

    private static async Task StageAsync(FaultSite site, VersionStore store, ulong sequence) =>
        await store.StageAsync(await site.ReceiveAsync(store, store.Head, site.Version(sequence)), null, CancellationToken.None);

    private static FaultStep Flip() => new("flip", (_, store) => store.FlipAsync(CancellationToken.None));

    private static FaultStep Capture(ulong sequence) => new($"capture {sequence}", (site, store) => CaptureAsync(site, store, site.Root, sequence));

    private static async Task CaptureAsync(FaultSite site, VersionStore store, string live, ulong sequence)
    {
        var version = site.Version(sequence);
        var tree = site.Site.TreeOf(version.Id);
        site.Rewrite(live, tree);
        var manifest = tree.ToManifest();
        var changes = Manifest.Diff(store.HeadManifest, manifest);
        var keys = TreeScanner.Scan(live, (_, _) => false, CancellationToken.None).Entries
            .Where(scanned => scanned.Entry.Type == EntryType.File).ToDictionary(scanned => scanned.Entry.Path, scanned => scanned.Stat);
        await store.RecordCaptureAsync(version, changes, keys, new Dictionary<ContentHash, BlockSignature>(), CancellationToken.None);
    }

    private static async Task RejoinAsync(FaultSite site, VersionStore store, ulong common, ulong branch)
    {
        var pack = Path.Combine(store.OutboxDirectory, "branch.pack");
        File.Copy(await site.PackAsync(site.Version(common), site.Version(branch)), pack, overwrite: true);
        site.Settled?.Invoke(pack);
        await store.EndCapturingAsync(site.Root, site.Version(common).Id, site.Site.TreeOf(site.Version(branch).Id).ToManifest(), pack, "another took over", CancellationToken.None);
    }

    private static FaultStep RestoreInPlace(ulong sequence, string path = "") => new($"restore {sequence} in place", (site, store) => store.RestoreAsync(
        site.Version(sequence).Id, site.InPlace[path.Length == 0 ? 0 : 1], new RestoreOptions { InPlace = true, Path = EntryPath.Parse(path) }, null, CancellationToken.None));

    private static FaultStep Confirm(int destination) => new("confirm", (site, _) => Task.FromResult(RestoresInPlace.Confirm(site.InPlace[destination], site.DiskInUse)));

    private static FaultStep Undo(int destination) => new("undo", (site, _) => Task.FromResult(RestoresInPlace.Undo(site.InPlace[destination], site.DiskInUse)));

    private static FaultStep Restore(ulong sequence) => new($"restore {sequence}", async (site, store) =>
    {
        var destination = Path.Combine(site.Disk, $"restored-{sequence}");
        var tree = site.Site.TreeOf(site.Version(sequence).Id);
        if (Directory.Exists(destination))
        {
            // It is whole or was never there.
            TreeAssert.Holds(tree, destination);
            return;
        }

        await store.RestoreAsync(site.Version(sequence).Id, destination, null, CancellationToken.None);
        TreeAssert.Holds(tree, destination);
    });
}
