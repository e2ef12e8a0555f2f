using Mirror.Store.Manifests;
using Mirror.Store.Slots;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Versions;

/// <summary>A store is read where it lies, whatever that place allows, and is not changed by it.</summary>
public sealed class ReadOnlyTests : IDisposable
{
    private readonly VersionedSite site = new();

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task A_store_at_rest_is_read_by_several_at_once_and_changed_by_none()
    {
        await SaveAsync();
        var before = Listing(site.StoreDirectory);
        await using (var one = await ReadAsync(site.StoreDirectory))
        await using (var other = await ReadAsync(site.StoreDirectory))
        {
            Assert.True(one.IsReadOnly);
            Assert.Empty(one.Remarks);
            Assert.Equal(site.Versions[^1].Record, other.Current);
            await AssertReadableAsync(one);
            var busy = await Assert.ThrowsAsync<StoreInUseException>(() => site.OpenAsync());
            Assert.Contains($"pid {Environment.ProcessId}", busy.Message, StringComparison.Ordinal);
        }

        Assert.Equal(before, Listing(site.StoreDirectory));
        await using var store = await site.OpenAsync();
        await Assert.ThrowsAsync<StoreInUseException>(() => ReadAsync(site.StoreDirectory));
    }

    [Fact]
    public async Task Whatever_would_change_a_store_opened_to_read_is_refused()
    {
        await SaveAsync();
        site.Add(SampleTrees.First);
        var pack = await site.PackAsync(site.Versions[^2].Record, site.Versions[^1].Record);
        await using var store = await ReadAsync(site.StoreDirectory);
        foreach (var change in (Func<Task>[])
        [
            () => store.StageAsync(pack, null, CancellationToken.None),
            () => store.NoteAsync(site.Versions[0].Record.Id, "note", CancellationToken.None),
            () => store.BeginCapturingAsync(CancellationToken.None),
            () => store.AdoptRootLinkAsync(site.Files["root"], CancellationToken.None),
            () => store.RememberSourceAsync(new Dictionary<EntryPath, StatKey>(), new Dictionary<ContentHash, Delta.BlockSignature>(), CancellationToken.None),
            () => store.NoteUnchangedAsync(new Dictionary<EntryPath, StatKey>(), new Dictionary<ContentHash, Delta.BlockSignature>(), CancellationToken.None),
        ])
        {
            var refused = await Assert.ThrowsAsync<ReadOnlyStoreException>(change);
            Assert.Contains("only to be read", refused.Message, StringComparison.Ordinal);
        }

        await AssertReadableAsync(store);
    }

    [Fact]
    public async Task One_that_was_interrupted_is_put_to_rest_first_where_that_is_possible()
    {
        await SaveAsync();
        await InterruptAsync("stage: commit");
        await using var store = await ReadAsync(site.StoreDirectory);
        Assert.False(store.IsReadOnly);
        Assert.Equal(site.Versions[2].Record, store.Head);
        Assert.False(File.Exists(Path.Combine(site.StoreDirectory, "journal")));
    }

    [MountFact]
    public async Task On_a_read_only_file_system_it_is_read_and_not_written()
    {
        await SaveAsync();
        await OnReadOnlyAsync(async directory =>
        {
            await using var store = await ReadAsync(directory);
            Assert.True(store.IsReadOnly);
            await AssertReadableAsync(store);
            var refused = await Assert.ThrowsAsync<ReadOnlyStoreException>(() => OpenAsync(directory));
            Assert.Contains("cannot be written", refused.Message, StringComparison.Ordinal);
        });
    }

    [MountFact]
    public async Task An_interrupted_operation_on_a_read_only_file_system_is_read_as_not_begun()
    {
        await SaveAsync();
        var third = site.Versions.Count;
        foreach (var at in (string[])["stage: finish directories", "slot marker: rename", "stage: commit", "journal clear: delete", "flip: commit"])
        {
            await InterruptAsync(at);
            await OnReadOnlyAsync(async directory =>
            {
                await using var store = await ReadAsync(directory);
                Assert.True(store.IsReadOnly);
                Assert.Equal(at != "flip: commit", store.Remarks.Count > 0);
                var happened = at is "journal clear: delete" or "flip: commit";
                Assert.Equal(site.Versions[happened ? third : third - 1].Record, store.Head);
                Assert.Equal(site.Versions[at == "flip: commit" ? third : third - 1].Record, store.Current);
                foreach (var (record, _) in site.Versions.Take(happened ? third + 1 : third))
                {
                    await site.AssertRestoresAsync(store, record);
                }
            });
        }
    }

    [MountFact]
    public async Task A_store_whose_process_was_killed_is_read_with_all_that_was_committed()
    {
        await SaveAsync();
        var copy = site.Files["killed"];
        await using (var store = await site.OpenAsync())
        {
            await store.NoteAsync(site.Versions[0].Record.Id, "only in the log", CancellationToken.None);

            // What a killed process leaves: the log of the index was never taken in.
            Shell.Run("cp -a \"$1\" \"$2\"", site.StoreDirectory, copy);
        }

        Assert.True(VersionIndex.HasLog(Path.Combine(copy, "index.db")));
        await OnReadOnlyAsync(
            async directory =>
            {
                await using var store = await ReadAsync(directory);
                Assert.Equal("only in the log", store.Versions[0].Note);
                await AssertReadableAsync(store);
            },
            copy);
    }

    [MountFact]
    public async Task An_index_lost_on_a_read_only_file_system_is_rebuilt_elsewhere()
    {
        await SaveAsync();
        File.Delete(Path.Combine(site.StoreDirectory, "index.db"));
        await OnReadOnlyAsync(async directory =>
        {
            await using var store = await ReadAsync(directory);
            Assert.Contains(store.Remarks, remark => remark.Contains("rebuilt", StringComparison.Ordinal));
            await AssertReadableAsync(store);
            Assert.False(File.Exists(Path.Combine(directory, "index.db")));
        });
    }

    [MountFact]
    public async Task On_a_full_file_system_it_is_opened_and_read()
    {
        await SaveAsync();
        foreach (var interrupted in (bool[])[false, true])
        {
            if (interrupted)
            {
                await InterruptAsync("stage: finish directories");
            }

            using var disk = new MountedDirectory(8 * 1024);
            var directory = Path.Combine(disk.Path, "store");
            Shell.Run("cp -a \"$1\" \"$2\"", site.StoreDirectory, directory);
            disk.Fill();
            await using (var store = await ReadAsync(directory))
            {
                await AssertReadableAsync(store);
            }

            if (!interrupted)
            {
                // A node opens it to write, and can serve what is there.
                await using var store = await OpenAsync(directory);
                await AssertReadableAsync(store);
            }
        }
    }

    [Fact]
    public async Task A_reader_of_nothing_makes_nothing()
    {
        await Assert.ThrowsAsync<StoreException>(() => ReadAsync(site.Files["nowhere"]));
        Assert.False(Directory.Exists(site.Files["nowhere"]));
        site.Files.Make("empty");
        await Assert.ThrowsAsync<StoreException>(() => ReadAsync(site.Files["empty"]));
        Assert.Empty(Directory.EnumerateFileSystemEntries(site.Files["empty"]));
    }

    [RootFact]
    public async Task A_directory_one_may_not_write_in_is_said_to_be_that()
    {
        await SaveAsync();
        Shell.Run("chmod 755 \"$1\"", site.Files.Path);
        UnprivilegedThread.Run(() => Assert.Throws<ReadOnlyStoreException>(() => StoreLock.Take(site.StoreDirectory)));
    }

    private async Task SaveAsync()
    {
        foreach (var tree in SampleTrees.All)
        {
            site.Add(tree);
        }

        await using var store = await site.OpenAsync();
        await site.StageAllAsync(store, flip: true);
    }

    /// <summary>One more version, and the machine dies just before this change of the disk.</summary>
    private async Task InterruptAsync(string operation)
    {
        while (site.Versions.Count == SampleTrees.All.Count)
        {
            site.Add(SampleTrees.First.File("later", "yes"));
        }

        var disk = new FailingDisk(operation);
        await using var store = await site.OpenAsync(disk);
        disk.Armed = true;
        var failure = await Record.ExceptionAsync(async () =>
        {
            await site.StageAllAsync(store, flip: true);
            await store.FlipAsync(CancellationToken.None);
        });
        Assert.True(failure is IOException or StoreException, $"nothing failed at {operation}");
    }

    private async Task AssertReadableAsync(VersionStore store)
    {
        Assert.All(store.Versions, version => Assert.True(version.Restorable));
        foreach (var (record, tree) in site.Versions.Take(SampleTrees.All.Count))
        {
            Assert.Equal(tree.ToManifest().Entries, store.ManifestOf(record.Id).Entries);
            await site.AssertRestoresAsync(store, record);
        }

        await VersionedSite.AssertCleanAsync(store);
    }

    private async Task OnReadOnlyAsync(Func<string, Task> look, string? source = null)
    {
        using var disk = new MountedDirectory(16 * 1024);
        var directory = Path.Combine(disk.Path, "store");
        Shell.Run("cp -a \"$1\" \"$2\"", source ?? site.StoreDirectory, directory);
        disk.MakeReadOnly();
        await look(directory);
    }

    private static Task<VersionStore> ReadAsync(string directory) => VersionStore.OpenToReadAsync(directory, VersionedSite.Name, TimeProvider.System, CancellationToken.None);

    private static Task<VersionStore> OpenAsync(string directory) => VersionStore.OpenAsync(directory, VersionedSite.Name, TimeProvider.System, CancellationToken.None);

    private static string Listing(string directory) => Shell.Run("cd \"$1\" && find . -printf '%p %y %s %T@ %i\\n' | sort && find . -type f -exec sha256sum {} + | sort", directory);
}
