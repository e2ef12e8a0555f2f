using System.Globalization;
using Microsoft.Data.Sqlite;
using Mirror.Store.Manifests;
using Mirror.Store.Slots;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Versions;

/// <summary>What people, disks and other programs do to a store: each is either put right or said, with what to do next.</summary>
public sealed class BadStoreTests : IDisposable
{
    private readonly VersionedSite site = new();

    public void Dispose() => site.Dispose();

    [Theory]
    [InlineData("mirror-store 2\n", "newer program")]
    [InlineData("", "damaged")]
    [InlineData("mirror-store", "damaged")]
    [InlineData("mirror-store 0\n", "damaged")]
    [InlineData("mirror-store -1\n", "damaged")]
    [InlineData("something else 1\n", "damaged")]
    public async Task A_format_that_is_not_this_one_is_refused_and_nothing_is_touched(string format, string said)
    {
        await SaveAsync(2);
        await File.WriteAllTextAsync(At("format"), format);
        foreach (var open in (Func<Task>[])[() => site.OpenAsync(), () => ReadAsync()])
        {
            var error = await Assert.ThrowsAsync<StoreException>(open);
            Assert.Contains(said, error.Message, StringComparison.Ordinal);
        }

        Assert.Equal(format, await File.ReadAllTextAsync(At("format")));
        await File.WriteAllTextAsync(At("format"), "mirror-store 1\n");
        await AssertWholeAsync();
    }

    [Fact]
    public async Task A_format_file_that_is_gone_is_asked_back()
    {
        await SaveAsync(2);
        File.Delete(At("format"));
        var error = await Assert.ThrowsAsync<StoreException>(() => site.OpenAsync());
        Assert.Contains("echo mirror-store 1", error.Message, StringComparison.Ordinal);
        await File.WriteAllTextAsync(At("format"), "mirror-store 1\n");
        await AssertWholeAsync();
    }

    [Fact]
    public async Task An_index_of_a_newer_schema_is_refused_and_not_rebuilt()
    {
        await SaveAsync(2);
        await using (var connection = new SqliteConnection($"Data Source={At("index.db")};Pooling=False"))
        {
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
            command.CommandText = string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version = {IndexSchema.Latest + 1}");
            await command.ExecuteNonQueryAsync();
        }

        foreach (var open in (Func<Task>[])[() => site.OpenAsync(), () => ReadAsync()])
        {
            var error = await Assert.ThrowsAsync<StoreException>(open);
            Assert.Contains($"schema {IndexSchema.Latest + 1}", error.Message, StringComparison.Ordinal);
        }

        Assert.Empty(Directory.EnumerateFiles(site.StoreDirectory, "index.damaged*"));
    }

    [Fact]
    public async Task A_pack_of_a_newer_format_is_no_way_and_verify_says_so()
    {
        await SaveAsync(3);
        var pack = Pack(1, 0);
        await using (var file = File.OpenWrite(pack))
        {
            file.Position = 8;
            file.WriteByte(2);
        }

        await using var store = await site.OpenAsync();
        Assert.Equal([false, true, true], store.Versions.Select(version => version.Restorable));
        var finding = Assert.Single(await store.VerifyAsync(readData: true, null, CancellationToken.None));
        Assert.Contains("newer Mirror", finding.What, StringComparison.Ordinal);
        await Assert.ThrowsAsync<StoreException>(() => store.RestoreAsync(site.Versions[0].Record.Id, site.Files["no"], null, CancellationToken.None));
        await site.AssertRestoresAsync(store, site.Versions[1].Record);
    }

    [Theory]
    [InlineData("gone")]
    [InlineData("cut")]
    [InlineData("empty")]
    public async Task Without_a_pack_the_store_opens_and_says_what_is_lost(string what)
    {
        await SaveAsync(3);
        switch (what)
        {
            case "gone":
                File.Delete(Pack(2, 1));
                break;
            case "cut":
                await File.WriteAllBytesAsync(Pack(2, 1), (await File.ReadAllBytesAsync(Pack(2, 1)))[..^100]);
                break;
            default:
                await File.WriteAllBytesAsync(Pack(2, 1), []);
                break;
        }

        await using var store = await site.OpenAsync();
        Assert.Equal([false, false, true], store.Versions.Select(version => version.Restorable));
        Assert.Contains(await store.VerifyAsync(readData: true, null, CancellationToken.None), finding => finding.What.Contains(Pack(2, 1), StringComparison.Ordinal));
        var error = await Assert.ThrowsAsync<StoreException>(() => store.RestoreAsync(site.Versions[0].Record.Id, site.Files["no"], null, CancellationToken.None));
        Assert.Contains($"Restorable from here: {site.Versions[2].Record.Id}", error.Message, StringComparison.Ordinal);
        await site.AssertRestoresAsync(store, site.Versions[2].Record);

        // The idle slot can no longer be led on; it is made anew.
        site.Add(SampleTrees.First.File("later", "yes"));
        await site.StageAllAsync(store, flip: true);
        await site.AssertRestoresAsync(store, site.Versions[2].Record);
        TreeAssert.Holds(site.Versions[3].Tree, store.CurrentLink);
    }

    [Fact]
    public async Task Packs_that_changed_places_are_damaged_edges_and_what_they_are_when_the_index_is_rebuilt()
    {
        await SaveAsync(3);
        File.Move(Pack(1, 0), site.Files["swap"]);
        File.Move(Pack(2, 1), Pack(1, 0));
        File.Move(site.Files["swap"], Pack(2, 1));
        await using (var store = await site.OpenAsync())
        {
            Assert.Equal([false, false, true], store.Versions.Select(version => version.Restorable));
            var findings = await store.VerifyAsync(readData: true, null, CancellationToken.None);
            Assert.Equal(2, findings.Count);
            Assert.All(findings, finding => Assert.Contains("it leads from", finding.What, StringComparison.Ordinal));
        }

        File.Delete(At("index.db"));
        await AssertWholeAsync();
    }

    [Fact]
    public async Task Foreign_files_in_slots_are_reported_and_do_not_stay_where_a_stage_works()
    {
        await SaveAsync(2);
        await using var store = await site.OpenAsync();
        var idle = Path.Combine(site.StoreDirectory, "slots", SlotPair.Other(store.CurrentSlot!));
        foreach (var tree in (string[])[idle, store.CurrentTree!])
        {
            await File.WriteAllTextAsync(Path.Combine(tree, "pages", "foreign"), "who put this here?");
            Directory.CreateDirectory(Path.Combine(tree, "pages", "foreign-directory", "deep"));
        }

        var findings = await store.VerifyAsync(readData: false, null, CancellationToken.None);
        Assert.Equal(2, findings.Count(finding => finding.What.Contains("pages/foreign ", StringComparison.Ordinal)));
        site.Add(SampleTrees.Second.File("pages/start", "changed").File("pages/foreign-directory", "a file of the site's"));
        await site.StageAllAsync(store, flip: true);
        Assert.Equal(idle, store.CurrentTree);
        TreeAssert.Holds(site.Versions[2].Tree, store.CurrentLink);
        site.Add(SampleTrees.Third);
        await site.StageAllAsync(store, flip: true);
        await VersionedSite.AssertCleanAsync(store);
    }

    [Theory]
    [InlineData("")]
    [InlineData("999999 nobody\nmore")]
    public async Task What_the_lock_file_says_is_for_people_only(string content)
    {
        await SaveAsync(2);
        await File.WriteAllTextAsync(At("lock"), content);
        await AssertWholeAsync();
        File.Delete(At("lock"));
        await AssertWholeAsync();
    }

    [Fact]
    public async Task A_lock_that_is_a_directory_is_said()
    {
        await SaveAsync(2);
        File.Delete(At("lock"));
        Directory.CreateDirectory(At("lock"));
        var error = await Assert.ThrowsAsync<StoreException>(() => site.OpenAsync());
        Assert.Contains("is a directory", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gone")]
    [InlineData("garbage")]
    [InlineData("{\"Version\":null}")]
    public async Task A_marker_that_is_damaged_is_written_again(string marker)
    {
        await SaveAsync(2);
        foreach (var slot in SlotPair.Names)
        {
            if (marker == "gone")
            {
                File.Delete(At("slots", $"{slot}.version"));
            }
            else
            {
                await File.WriteAllTextAsync(At("slots", $"{slot}.version"), marker);
            }
        }

        await AssertWholeAsync();
        File.Delete(At("index.db"));
        await AssertWholeAsync();
    }

    [Fact]
    public async Task A_damaged_step_of_the_trail_is_found_by_verify_and_replaced_when_the_store_is_opened()
    {
        await SaveAsync(2);
        var last = At("manifests", $"{site.Versions[0].Record.Id}-{site.Versions[1].Record.Id}.pack");
        var bytes = await File.ReadAllBytesAsync(last);
        bytes[^20] ^= 1;
        await File.WriteAllBytesAsync(last, bytes);
        await AssertWholeAsync();

        // One in the middle is read by verify only.
        site.Add(SampleTrees.Third);
        await using (var store = await site.OpenAsync())
        {
            await site.StageAllAsync(store, flip: true);
            var first = Directory.EnumerateFiles(At("manifests")).Order().First();
            await File.WriteAllBytesAsync(first, (await File.ReadAllBytesAsync(first))[..^1]);
            var finding = Assert.Single(await store.VerifyAsync(readData: false, null, CancellationToken.None));
            Assert.Contains("a step of it is damaged", finding.What, StringComparison.Ordinal);
        }

        Directory.Delete(At("manifests"), recursive: true);
        await AssertWholeAsync();
        Assert.NotEmpty(Directory.EnumerateFiles(At("manifests")));
    }

    [Fact]
    public async Task A_clock_that_was_set_back_deletes_and_refuses_nothing()
    {
        var time = new SetClock { Now = new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero) };
        foreach (var tree in SampleTrees.All)
        {
            var parent = site.Versions.Count == 0 ? null : site.Versions[^1].Record;
            site.Add(tree, null, parent);
            await using var store = await VersionStore.OpenAsync(site.StoreDirectory, VersionedSite.Name, time, CancellationToken.None);
            await site.StageAllAsync(store, flip: true);
            time.Now -= TimeSpan.FromDays(400);
        }

        await using (var store = await VersionStore.OpenAsync(site.StoreDirectory, VersionedSite.Name, time, CancellationToken.None))
        {
            Assert.Equal(site.Versions.Select(version => version.Record), store.Versions.Select(version => version.Record));
        }

        File.Delete(At("index.db"));
        await AssertWholeAsync();
    }

    private sealed class SetClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; }

        public override DateTimeOffset GetUtcNow() => Now;
    }

    private async Task SaveAsync(int versions)
    {
        foreach (var tree in SampleTrees.All.Take(versions))
        {
            site.Add(tree);
        }

        await using var store = await site.OpenAsync();
        await site.StageAllAsync(store, flip: true);
    }

    private async Task AssertWholeAsync()
    {
        await using var store = await site.OpenAsync();
        Assert.Equal(site.Versions.Select(version => version.Record), store.Versions.Select(version => version.Record));
        await VersionedSite.AssertCleanAsync(store);
        await site.AssertAllRestoreAsync(store);
    }

    private Task<VersionStore> ReadAsync() => VersionStore.OpenToReadAsync(site.StoreDirectory, VersionedSite.Name, TimeProvider.System, CancellationToken.None);

    private string Pack(int from, int to) => At("history", $"{site.Versions[from].Record.Id}-{site.Versions[to].Record.Id}.pack");

    private string At(params string[] parts) => Path.Combine([site.StoreDirectory, .. parts]);
}
