using Mirror.Store.Rebuilding;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Rebuilding;

/// <summary>Without its index a store says, restores and does the same as before.</summary>
public sealed class RebuildTests : IDisposable
{
    private readonly VersionedSite site = new();
    private string Index => Path.Combine(site.StoreDirectory, "index.db");

    public void Dispose() => site.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_lost_index_is_rebuilt_and_every_version_comes_back_byte_for_byte(bool lastIsStagedOnly)
    {
        IReadOnlyList<KeptVersion> before;
        await using (var store = await SavedAsync(lastIsStagedOnly))
        {
            await store.NoteAsync(site.Versions[0].Record.Id, "unhealthy: no answer", CancellationToken.None);
            before = store.Versions;
        }

        File.Delete(Index);
        await using (var store = await site.OpenAsync())
        {
            Assert.Contains("was gone", Assert.Single(store.Remarks), StringComparison.Ordinal);
            Assert.Equal(site.Versions[^1].Record, store.Head);
            Assert.Equal(site.Versions[lastIsStagedOnly ? ^2 : ^1].Record, store.Current);
            Assert.Equal(before, store.Versions);
            await VersionedSite.AssertCleanAsync(store);
            await site.AssertAllRestoreAsync(store);
        }

        await AssertGoesOnAsync();
    }

    [Fact]
    public async Task Times_of_arrival_and_what_is_only_staged_survive()
    {
        IReadOnlyList<VersionRow> before;
        await (await SavedAsync(lastIsStagedOnly: true)).DisposeAsync();
        before = Rows();
        File.Delete(Index);
        await (await site.OpenAsync()).DisposeAsync();
        var after = Rows();
        Assert.Equal(before.Select(row => (row.Record, row.Note, row.Staged)), after.Select(row => (row.Record, row.Note, row.Staged)));
        Assert.Equal([false, false, true], after.Select(row => row.Staged));
        Assert.All(before.Zip(after), pair => Assert.InRange(pair.Second.Received - pair.First.Received, TimeSpan.FromSeconds(-30), TimeSpan.FromSeconds(30)));
    }

    [Theory]
    [InlineData("empty")]
    [InlineData("garbage")]
    [InlineData("header")]
    [InlineData("page")]
    [InlineData("cut")]
    public async Task A_damaged_index_is_set_aside_and_rebuilt(string damage)
    {
        await (await SavedAsync()).DisposeAsync();
        var bytes = await File.ReadAllBytesAsync(Index);
        var damaged = damage switch
        {
            "empty" => [],
            "garbage" => SampleTrees.Text(3, bytes.Length),
            "header" => [.. bytes[..16].Reverse(), .. bytes[16..]],
            "page" => [.. bytes[..4096], .. SampleTrees.Text(4, bytes.Length - 4096)],
            _ => bytes[..(bytes.Length / 2)],
        };
        await File.WriteAllBytesAsync(Index, damaged);

        await using (var store = await site.OpenAsync())
        {
            Assert.Contains(store.Remarks, remark => remark.Contains("index.damaged-1.db", StringComparison.Ordinal));
            await VersionedSite.AssertCleanAsync(store);
            await site.AssertAllRestoreAsync(store);
        }

        Assert.Equal(damaged, await File.ReadAllBytesAsync(Path.Combine(site.StoreDirectory, "index.damaged-1.db")));
        await AssertGoesOnAsync();
    }

    [Fact]
    public async Task An_index_put_back_from_a_backup_is_older_than_the_slots_and_is_not_believed()
    {
        site.Add(SampleTrees.First);
        site.Add(SampleTrees.Second);
        await using (var store = await site.OpenAsync())
        {
            await site.StageAllAsync(store, flip: true);
        }

        var backup = await File.ReadAllBytesAsync(Index);
        site.Add(SampleTrees.Third);
        await using (var store = await site.OpenAsync())
        {
            await site.StageAllAsync(store, flip: true);
        }

        await File.WriteAllBytesAsync(Index, backup);
        await using (var store = await site.OpenAsync())
        {
            Assert.NotEmpty(store.Remarks);
            Assert.Equal(site.Versions[^1].Record, store.Current);
            await site.AssertAllRestoreAsync(store);
        }
    }

    [Fact]
    public async Task The_log_of_a_lost_index_does_not_get_into_the_new_one()
    {
        await (await SavedAsync()).DisposeAsync();
        File.Delete(Index);
        await File.WriteAllBytesAsync(Index + "-wal", SampleTrees.Text(8, 100_000));
        await using (var store = await site.OpenAsync())
        {
            await site.AssertAllRestoreAsync(store);
        }

        Assert.True(File.Exists(Path.Combine(site.StoreDirectory, "index.damaged-1.db-wal")));
    }

    [Fact]
    public async Task Damage_found_while_the_index_is_in_use_is_remembered_until_the_store_is_opened()
    {
        await (await SavedAsync()).DisposeAsync();
        await File.WriteAllBytesAsync(VersionIndex.SuspicionOf(Index), []);
        await using (var store = await site.OpenAsync())
        {
            Assert.Contains(store.Remarks, remark => remark.Contains("while it was in use", StringComparison.Ordinal));
        }

        await using (var store = await site.OpenAsync())
        {
            Assert.Empty(store.Remarks);
        }
    }

    [Fact]
    public async Task Without_the_trail_the_trees_themselves_say_what_they_hold()
    {
        await (await SavedAsync()).DisposeAsync();
        File.Delete(Index);
        Directory.Delete(Path.Combine(site.StoreDirectory, "manifests"), recursive: true);
        await using (var store = await site.OpenAsync())
        {
            Assert.Equal(site.Versions[^1].Record, store.Head);
            await VersionedSite.AssertCleanAsync(store);
            await site.AssertAllRestoreAsync(store);
        }
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("")]
    [InlineData(null)]
    public async Task Without_the_markers_too_trees_are_known_by_their_roots(string? marker)
    {
        await (await SavedAsync()).DisposeAsync();
        File.Delete(Index);
        foreach (var slot in (string[])["a", "b"])
        {
            var path = Path.Combine(site.StoreDirectory, "slots", slot + ".version");
            File.Delete(path);
            if (marker is not null)
            {
                await File.WriteAllTextAsync(path, marker);
            }
        }

        await using (var store = await site.OpenAsync())
        {
            Assert.Contains(store.Remarks, remark => remark.Contains("the tree was read", StringComparison.Ordinal));
            Assert.Equal(site.Versions[^1].Record, store.Current);
            await site.AssertAllRestoreAsync(store);
            await VersionedSite.AssertCleanAsync(store);
        }
    }

    [Fact]
    public async Task A_tree_that_is_no_known_version_is_not_taken_for_one_and_nothing_is_touched()
    {
        await (await SavedAsync()).DisposeAsync();
        File.Delete(Index);
        File.Delete(Path.Combine(site.StoreDirectory, "slots", "a.version"));
        File.Delete(Path.Combine(site.StoreDirectory, "slots", "b.version"));
        await File.AppendAllTextAsync(Path.Combine(site.StoreDirectory, "current", "index.html"), "!");
        var before = Listing();
        var error = await Assert.ThrowsAsync<StoreException>(() => site.OpenAsync());
        Assert.Contains("cannot be rebuilt", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, Listing());
    }

    [Fact]
    public async Task A_damaged_pack_is_left_out_and_said()
    {
        await (await SavedAsync()).DisposeAsync();
        File.Delete(Index);
        var pack = Path.Combine(site.StoreDirectory, "history", $"{site.Versions[1].Record.Id}-{site.Versions[0].Record.Id}.pack");
        await using (var file = File.OpenWrite(pack))
        {
            file.SetLength(file.Length / 2);
        }

        await using (var store = await site.OpenAsync())
        {
            Assert.Contains(store.Remarks, remark => remark.Contains(pack, StringComparison.Ordinal));
            Assert.Equal(site.Versions.Skip(1).Select(version => version.Record), store.Versions.Select(version => version.Record));
            await site.AssertRestoresAsync(store, site.Versions[1].Record);
        }
    }

    [Fact]
    public async Task A_store_of_another_site_is_not_rebuilt_for_this_one()
    {
        await (await SavedAsync()).DisposeAsync();
        File.Delete(Index);
        foreach (var facts in (bool[])[true, false])
        {
            if (!facts)
            {
                File.Delete(StoreFacts.PathIn(site.StoreDirectory));
            }

            var error = await Assert.ThrowsAsync<StoreException>(() => VersionStore.OpenAsync(site.StoreDirectory, "shop", TimeProvider.System, CancellationToken.None));
            Assert.Contains("\"wiki\"", error.Message, StringComparison.Ordinal);
            Assert.False(File.Exists(Index));
        }
    }

    [Fact]
    public async Task Damaged_facts_cost_the_notes_and_this_is_said()
    {
        await using (var store = await SavedAsync())
        {
            await store.NoteAsync(site.Versions[0].Record.Id, "unhealthy: no answer", CancellationToken.None);
        }

        File.Delete(Index);
        await File.WriteAllTextAsync(StoreFacts.PathIn(site.StoreDirectory), "{\"Site\":\"wiki\"");
        await using (var store = await site.OpenAsync())
        {
            Assert.Contains(store.Remarks, remark => remark.Contains("notes of versions are lost", StringComparison.Ordinal));
            await site.AssertAllRestoreAsync(store);
        }
    }

    private async Task<VersionStore> SavedAsync(bool lastIsStagedOnly = false)
    {
        foreach (var tree in SampleTrees.All.Take(lastIsStagedOnly ? 2 : 3))
        {
            site.Add(tree);
        }

        var store = await site.OpenAsync();
        await site.StageAllAsync(store, flip: true);
        if (lastIsStagedOnly)
        {
            site.Add(SampleTrees.Third);
            await site.StageAllAsync(store, flip: false);
        }

        return store;
    }

    /// <summary>One more version comes, and another after a further restart.</summary>
    private async Task AssertGoesOnAsync()
    {
        foreach (var tree in (TreeLiteral[])[SampleTrees.First.File("later", "one"), SampleTrees.Second.File("later", "two")])
        {
            site.Add(tree);
            await using var store = await site.OpenAsync();
            Assert.Empty(store.Remarks);
            await site.StageAllAsync(store, flip: true);
            await VersionedSite.AssertCleanAsync(store);
            await site.AssertAllRestoreAsync(store);
        }
    }

    private IReadOnlyList<VersionRow> Rows()
    {
        using var index = VersionIndex.Open(Index);
        return index.Load().Versions;
    }

    private List<string> Listing() => [.. Directory.EnumerateFileSystemEntries(site.StoreDirectory, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
}
