using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Slots;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;
using Xunit.Abstractions;

namespace Mirror.Store.Tests.History;

public sealed class InPlaceRestoreTests(ITestOutputHelper output) : IDisposable
{
    private static readonly TreeLiteral mine = TreeLiteral.Empty.File("index.html", "mine").File("only/here", "kept").Symlink("link", "index.html");
    private static readonly RestoreOptions inPlace = new() { InPlace = true };

    private VersionedSite site = new();

    private string Destination => site.Files["site"];

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task What_was_there_is_kept_until_it_is_confirmed()
    {
        await using var store = await NewStoreAsync();
        var report = await store.RestoreAsync(site.Versions[0].Record.Id, Destination, inPlace, null, CancellationToken.None);
        TreeAssert.Holds(SampleTrees.First, Destination);
        TreeAssert.Holds(mine, report.Previous!);
        Assert.Equal(report.Previous, RestoresInPlace.Find(Destination)!.Previous);

        var again = await Assert.ThrowsAsync<StoreException>(() => store.RestoreAsync(site.Versions[1].Record.Id, Destination, inPlace, null, CancellationToken.None));
        Assert.Contains("waits to be confirmed", again.Message, StringComparison.Ordinal);
        TreeAssert.Holds(SampleTrees.First, Destination);

        RestoresInPlace.Confirm(Destination);
        TreeAssert.Holds(SampleTrees.First, Destination);
        AssertNothingBeside();
        Assert.Throws<StoreException>(() => RestoresInPlace.Undo(Destination));
    }

    [Fact]
    public async Task Undone_all_is_as_it_was()
    {
        await using var store = await NewStoreAsync();
        await store.RestoreAsync(site.Versions[0].Record.Id, Destination, inPlace, null, CancellationToken.None);
        await File.WriteAllTextAsync(Path.Combine(Destination, "since"), "written after the swap");
        RestoresInPlace.Undo(Destination);
        TreeAssert.Holds(mine, Destination);
        AssertNothingBeside();
    }

    /// <summary>All that is other than with an exchange: from the first of the renames on.</summary>
    [Theory]
    [InlineData("restore", true)]
    [InlineData("restore", false)]
    [InlineData("undo", true)]
    public async Task A_failure_around_the_two_renames_can_be_ended_both_ways(string last, bool machineDies)
    {
        var disk = new FailingDisk(0, false) { Exchanges = false };
        await using (var store = await NewStoreAsync(disk))
        {
            disk.Armed = true;
            await RestoreAsync(store);
            if (last == "undo")
            {
                disk.Operations.Clear();
                RestoresInPlace.Undo(Destination, disk);
            }
        }

        var (first, final) = (disk.Operations.IndexOf("in place: rename"), disk.Operations.LastIndexOf("in place: rename"));
        Assert.True(first >= 0 && final > first);
        for (var failAt = first; failAt <= final + 4; failAt++)
        {
            Assert.True((await FailAsync(last, failAt, machineDies, exchanges: false, goesOn: true)).Failed);
            await FailAsync(last, failAt, machineDies, exchanges: false, goesOn: false);
        }
    }

    [Fact]
    public async Task Where_names_cannot_be_exchanged_two_renames_do()
    {
        var disk = new FailingDisk(0, false) { Exchanges = false, Armed = true };
        await using var store = await NewStoreAsync(disk);
        disk.Operations.Clear();
        var report = await store.RestoreAsync(site.Versions[0].Record.Id, Destination, inPlace, null, CancellationToken.None);
        Assert.Equal(2, disk.Operations.Count(op => op == "in place: rename"));
        Assert.DoesNotContain("in place: exchange", disk.Operations);
        TreeAssert.Holds(SampleTrees.First, Destination);
        TreeAssert.Holds(mine, report.Previous!);

        RestoresInPlace.Undo(Destination, disk);
        TreeAssert.Holds(mine, Destination);
        AssertNothingBeside();

        await RestoreAsync(store);
        RestoresInPlace.Confirm(Destination, disk);
        TreeAssert.Holds(SampleTrees.First, Destination);
        AssertNothingBeside();
    }

    [Fact]
    public async Task One_file_and_one_directory_are_replaced_alone()
    {
        await using var store = await NewStoreAsync();
        var version = site.Versions[0].Record.Id;
        await store.RestoreAsync(version, Path.Combine(Destination, "index.html"), inPlace with { Path = EntryPath.Parse("index.html") }, null, CancellationToken.None);
        Assert.Equal("<h1>Welcome</h1>", await File.ReadAllTextAsync(Path.Combine(Destination, "index.html")));
        Assert.Equal("kept", await File.ReadAllTextAsync(Path.Combine(Destination, "only/here")));
        RestoresInPlace.Undo(Path.Combine(Destination, "index.html"));
        await store.RestoreAsync(version, Path.Combine(Destination, "only"), inPlace with { Path = EntryPath.Parse("pages") }, null, CancellationToken.None);
        Assert.Equal(["other", "start", "start.link"], Directory.EnumerateFiles(Path.Combine(Destination, "only")).Select(Path.GetFileName).Order());
        RestoresInPlace.Undo(Path.Combine(Destination, "only"));
        Assert.All(TreeAssert.Differences(mine, TreeLiteral.ReadFrom(Destination)), difference => Assert.StartsWith("\"\": modified", difference, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_link_a_mount_point_and_what_holds_the_store_are_not_replaced()
    {
        await using var store = await NewStoreAsync();
        var version = site.Versions[0].Record.Id;
        var link = site.Files["link"];
        Directory.CreateSymbolicLink(link, Destination);
        foreach (var (destination, why) in new[] { (link, "symbolic link"), (site.Files.Path, "would take the store along"), ("/proc", "mount point"), (Path.Combine(store.CurrentLink, "pages"), "inside the store") })
        {
            var error = await Assert.ThrowsAsync<StoreException>(() => store.RestoreAsync(version, destination, inPlace, null, CancellationToken.None));
            Assert.Contains(why, error.Message, StringComparison.Ordinal);
        }

        TreeAssert.Holds(mine, Destination);
    }

    /// <summary>Every change on the way, one after the other: of the restore, of confirming and of undoing.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_failure_anywhere_leaves_the_old_state_or_the_new_one_and_can_be_ended_both_ways(bool machineDies)
    {
        var points = 0;
        foreach (var last in new[] { "restore", "confirm", "undo" })
        {
            for (var failAt = 1; ; failAt++)
            {
                var (failed, op) = await FailAsync(last, failAt, machineDies, exchanges: true, goesOn: true);
                if (!failed)
                {
                    Assert.True(failAt > (last == "restore" ? 20 : 5), $"only {failAt - 1} changes were seen in {last}");
                    break;
                }

                Assert.NotNull(op);
                points++;
                await FailAsync(last, failAt, machineDies, exchanges: true, goesOn: false);
            }
        }

        output.WriteLine($"{points} failures injected, each ended in two ways ({(machineDies ? "machine dies" : "one change fails")})");
    }

    /// <param name="goesOn">Afterwards: the same again, else undo.</param>
    private async Task<(bool Failed, string? Op)> FailAsync(string last, int failAt, bool machineDies, bool exchanges, bool goesOn)
    {
        site.Dispose();
        site = new VersionedSite();
        var disk = new FailingDisk(failAt, machineDies) { Exchanges = exchanges };
        var failed = false;
        await using (var store = await NewStoreAsync(disk))
        {
            disk.Armed = last == "restore";
            failed = await Crashing.FailsAsync(() => RestoreAsync(store));
            if (last != "restore")
            {
                Assert.False(failed);
                disk.Armed = true;
                failed = Crashing.Fails(() => _ = last == "confirm" ? RestoresInPlace.Confirm(Destination, disk) : RestoresInPlace.Undo(Destination, disk));
            }

            disk.Armed = false;
        }

        if (!failed)
        {
            return (false, null);
        }

        var old = IsThere(mine);
        Assert.True(old || IsThere(SampleTrees.First) || (!exchanges && IsBetweenTwoRenames()), $"{last} failed at {failAt} ({disk.Failed}): neither the old state nor the new one is there");
        await using var reopened = await site.OpenAsync(new FailingDisk(0, false));
        if (goesOn)
        {
            await GoOnAsync(reopened, last);
        }
        else if (RestoresInPlace.Find(Destination) is not null)
        {
            _ = Crashing.Fails(() => RestoresInPlace.Undo(Destination, new FailingDisk(0, false)));
            var confirmed = last == "confirm" && IsThere(SampleTrees.First);
            Assert.True(confirmed || IsThere(mine), $"{last} failed at {failAt} ({disk.Failed}): undo did not bring the old state back");
        }

        // At the very beginning and the very end a crash leaves an empty directory: whoever comes next takes it away.
        Assert.True(RestoresInPlace.Find(Destination) is null);
        _ = Crashing.Fails(() => RestoresInPlace.Undo(Destination));
        AssertNothingBeside();
        return (true, disk.Failed);
    }

    private async Task GoOnAsync(VersionStore store, string last)
    {
        if (last == "restore")
        {
            if (RestoresInPlace.Find(Destination) is not { Swapped: true } || !IsThere(SampleTrees.First) || !IsSwapped())
            {
                await RestoreAsync(store);
            }

            TreeAssert.Holds(SampleTrees.First, Destination);
            TreeAssert.Holds(mine, RestoresInPlace.Find(Destination)!.Previous!);
            RestoresInPlace.Confirm(Destination);
        }
        else if (RestoresInPlace.Find(Destination) is not null)
        {
            _ = last == "confirm" ? RestoresInPlace.Confirm(Destination) : RestoresInPlace.Undo(Destination);
        }

        TreeAssert.Holds(last == "undo" ? mine : SampleTrees.First, Destination);
    }

    /// <summary>The journal says so: the next restore would be refused, as it should be.</summary>
    private bool IsSwapped() => new InPlaceRestore(Destination, new StoreDisk()).Find()!.Phase == InPlacePhase.Swapped;

    /// <summary>Only where the file system cannot exchange.</summary>
    private bool IsBetweenTwoRenames() => !Directory.Exists(Destination) && RestoresInPlace.Find(Destination) is not null;

    private bool IsThere(TreeLiteral tree) => Directory.Exists(Destination) && !TreeAssert.Differences(tree, TreeLiteral.ReadFrom(Destination)).Any();

    private Task RestoreAsync(VersionStore store) => store.RestoreAsync(site.Versions[0].Record.Id, Destination, inPlace, null, CancellationToken.None);

    private async Task<VersionStore> NewStoreAsync(FailingDisk? disk = null)
    {
        site.Add(SampleTrees.First);
        site.Add(SampleTrees.Second);
        var store = await site.OpenAsync(disk ?? new FailingDisk(0, false));
        await site.StageAllAsync(store, flip: true);
        mine.WriteTo(Destination);
        return store;
    }

    private void AssertNothingBeside() => Assert.Empty(Directory.EnumerateFileSystemEntries(site.Files.Path, ".mirror-restore-*"));
}
