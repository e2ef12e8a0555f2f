using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Versions;

/// <summary>What tests of crashes share: work that is interrupted, and what must be true wherever it was.</summary>
internal static class Crashing
{
    /// <summary>A tree in four versions: contents change, move and come again, links come and go, a file stands where a directory was.</summary>
    public static IReadOnlyList<TreeLiteral> Trees { get; } =
    [
        TreeLiteral.Empty.File("page", "one").File("big", SampleTrees.Text(1, 9_000)).File("kept", "kept").Directory("sub").Symlink("link", "page"),
        TreeLiteral.Empty.File("page", "two").File("big", SampleTrees.Text(2, 9_000)).File("kept", "kept").File("sub/new", "new").Hardlink("twin", "page"),
        TreeLiteral.Empty.File("page", "three").File("moved", SampleTrees.Text(2, 9_000)).File("kept", "kept").File("sub", "a file now"),
        TreeLiteral.Empty.File("page", "four").File("moved", SampleTrees.Text(2, 9_000)).File("kept", "kept").File("sub/again", "x").Symlink("link", "kept"),
    ];

    /// <summary>Whether it ends as work on a store does whose disk fails; any other exception is one of the test's.</summary>
    public static async Task<bool> FailsAsync(Func<Task> work)
    {
        try
        {
            await work();
            return false;
        }
        catch (Exception error) when (error is IOException or StoreException)
        {
            return true;
        }
    }

    /// <inheritdoc cref="FailsAsync"/>
    public static bool Fails(Action work)
    {
        try
        {
            work();
            return false;
        }
        catch (Exception error) when (error is IOException or StoreException)
        {
            return true;
        }
    }

    /// <summary>From the first version on: clone and stage, stage again in place, flip, catch the other slot up, flip.</summary>
    public static async Task StageAndFlipAsync(VersionedSite site, VersionStore store)
    {
        await StageNextAsync(site, store);
        await StageNextAsync(site, store);
        await store.FlipAsync(CancellationToken.None);
        await StageNextAsync(site, store);
        await store.FlipAsync(CancellationToken.None);
    }

    /// <summary>What is current and what is newest are exactly their versions; and the store goes on to the last one, with every one kept.</summary>
    /// <param name="where">For errors.</param>
    public static async Task AssertGoesOnAsync(VersionedSite site, VersionStore store, string where, Func<Task>? first = null)
    {
        try
        {
            TreeAssert.Holds(site.TreeOf(store.Current!.Id), store.CurrentLink);
            TreeAssert.Holds(site.TreeOf(store.Head!.Id), store.HeadTree);
            await (first?.Invoke() ?? Task.CompletedTask);
            await site.StageAllAsync(store, flip: false);
            await store.FlipAsync(CancellationToken.None);
            TreeAssert.Holds(site.Versions[^1].Tree, store.CurrentLink);
            await VersionedSite.AssertCleanAsync(store);
            await site.AssertAllRestoreAsync(store);
        }
        catch (Exception error)
        {
            throw new InvalidOperationException($"{where}: {error.Message}", error);
        }
    }

    private static async Task StageNextAsync(VersionedSite site, VersionStore store)
    {
        var next = site.Versions.First(version => version.Record.Id > store.Head!.Id).Record;
        var received = Path.Combine(store.InboxDirectory, $"{next.Id}.pack");
        File.Copy(await site.PackAsync(store.Head, next), received, overwrite: true);
        await store.StageAsync(received, null, CancellationToken.None);
    }
}
