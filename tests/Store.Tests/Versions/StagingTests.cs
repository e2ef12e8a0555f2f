using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Slots;
using Mirror.Store.Tree;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Versions;

public sealed class StagingTests : IDisposable
{
    private readonly VersionedSite site = new();

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task A_pack_that_does_not_fit_is_refused_and_nothing_moves()
    {
        var first = site.Add(SampleTrees.First);
        var second = site.Add(SampleTrees.Second);
        var third = site.Add(SampleTrees.Third);
        await using var store = await site.OpenAsync();
        await RefusedAsync<StoreException>(await site.PackAsync(first, second), "no version");
        await StageAsync(store, await site.PackAsync(null, first));
        await store.FlipAsync(CancellationToken.None);

        await RefusedAsync<StoreException>(await site.PackAsync(second, third), "Fetch the packs between");
        var lacking = SampleTrees.Second.Contents().First(pair => pair.Value.Length > 0 && !SampleTrees.First.Contents().ContainsKey(pair.Key)).Key;
        var missing = await RefusedAsync<MissingContentException>(await site.PackAsync(null, second, hash => hash == lacking), "Ask for a fill");
        Assert.Equal([lacking], missing.Hashes);
        await RefusedAsync<PackFormatException>(await DamagedAsync(await site.PackAsync(first, second)), "");

        var rewritten = VersionedSite.Describe(SampleTrees.Second.ToManifest(), new VersionId(1, 2), first) with { Origin = "somebody else" };
        await RefusedAsync<StoreException>(
            await VersionedSite.PackAsync(first, SampleTrees.First, rewritten, SampleTrees.Second, site.Files["rewritten.pack"]), "chain hash");

        var lying = VersionedSite.Describe(SampleTrees.Third.ToManifest(), new VersionId(1, 2), first);
        await RefusedAsync<StoreException>(
            await VersionedSite.PackAsync(first, SampleTrees.First, lying, SampleTrees.Second, site.Files["lying.pack"]), "with root");

        Assert.Equal(first, store.Head);
        await VersionedSite.AssertCleanAsync(store);
        await StageAsync(store, await site.PackAsync(first, second));
        await RefusedAsync<StoreException>(await site.PackAsync(null, first), "only grow");

        async Task<T> RefusedAsync<T>(string pack, string because)
            where T : Exception
        {
            var error = await Assert.ThrowsAsync<T>(() => StageAsync(store, pack));
            Assert.Contains(because, error.Message, StringComparison.Ordinal);
            return error;
        }
    }

    [Fact]
    public async Task What_was_read_a_moment_ago_is_known_again_and_anything_else_is_refused()
    {
        byte[] content = [.. Enumerable.Range(0, 2_000_000).Select(at => (byte)(at * 2_654_435_761 >> 13))];
        byte[] edited = [.. content];
        edited[1_500_000] ^= 1;
        var first = site.Add(TreeLiteral.Empty.File("data", content));
        var second = site.Add(TreeLiteral.Empty.File("data", edited));
        await using var store = await site.OpenAsync();
        var pack = await site.PackAsync(null, first);

        var refused = await Assert.ThrowsAsync<StoreException>(async () => await store.StageAsync(pack, await ReadAsync(first, edited), null, CancellationToken.None));
        Assert.Contains("other than it was read a moment ago", refused.Message, StringComparison.Ordinal);
        Assert.Null(store.Head);

        await store.StageAsync(pack, await ReadAsync(first, content), null, CancellationToken.None);
        await store.FlipAsync(CancellationToken.None);
        await store.StageAsync(await site.PackAsync(first, second), await ReadAsync(second, edited), null, CancellationToken.None);
        await store.FlipAsync(CancellationToken.None);
        await VersionedSite.AssertCleanAsync(store);
        await site.AssertAllRestoreAsync(store);

        async Task<IReadOnlyDictionary<ContentHash, BlockSignature>> ReadAsync(VersionRecord version, byte[] signed) => new Dictionary<ContentHash, BlockSignature>
        {
            [site.TreeOf(version.Id).ToManifest().Entries.Single(entry => entry.Type == EntryType.File).Hash] =
                await BlockSignature.OfAsync(new MemoryStream(signed), signed.Length, store.BlockKey, CancellationToken.None),
        };
    }

    [Fact]
    public async Task What_apps_keep_in_a_slot_stays_there_and_is_no_damage()
    {
        bool IsPrivate(EntryPath path) => path.ToString().StartsWith("data/live.sqlite", StringComparison.Ordinal);
        var tree = TreeLiteral.Empty.Directory("data").File("page", "one");
        site.Add(tree);
        await using var store = await site.OpenAsync(privatePaths: IsPrivate);
        await site.StageAllAsync(store, flip: true);
        foreach (var text in new[] { "two", "three", "four" })
        {
            await File.WriteAllTextAsync(Path.Combine(store.HeadTree, "data/live.sqlite"), text);
            await File.WriteAllTextAsync(Path.Combine(store.HeadTree, "data/live.sqlite-wal"), text);
            tree = tree.File("page", text).File($"data/{text}", text);
            site.Add(tree);
            await site.StageAllAsync(store, flip: true);
        }

        // Each slot keeps its own, never linked to the other's.
        Assert.Equal("four", await File.ReadAllTextAsync(Path.Combine(Other(store.HeadTree), "data/live.sqlite")));
        Assert.Equal("three", await File.ReadAllTextAsync(Path.Combine(store.HeadTree, "data/live.sqlite-wal")));
        await VersionedSite.AssertCleanAsync(store);

        static string Other(string slot) => Path.Combine(Path.GetDirectoryName(slot)!, SlotPair.Other(Path.GetFileName(slot)));
    }

    [Fact]
    public async Task Packs_in_the_inbox_go_when_a_version_as_new_is_current_and_not_before()
    {
        var first = site.Add(SampleTrees.First);
        var second = site.Add(SampleTrees.Second);
        await using var store = await site.OpenAsync();
        foreach (var (record, from) in new[] { (first, null), (second, first) })
        {
            var received = Path.Combine(store.InboxDirectory, $"{record.Id}.pack");
            File.Move(await site.PackAsync(from, record), received);
            await StageAsync(store, received);
        }

        var arriving = Path.Combine(store.InboxDirectory, "1.2-1.3.pack.part");
        await File.WriteAllTextAsync(arriving, "not yet");
        Assert.Equal(3, Directory.GetFiles(store.InboxDirectory).Length);
        await store.FlipAsync(CancellationToken.None);
        Assert.Equal([arriving], Directory.GetFiles(store.InboxDirectory));
    }

    [Fact]
    public async Task Whoever_reads_through_the_current_link_sees_one_whole_version()
    {
        const int Files = 12;
        TreeLiteral Numbered(int number) => Enumerable.Range(0, Files).Aggregate(TreeLiteral.Empty, (tree, file) => tree.File($"d{file % 3}/f{file}", $"{number}"));
        site.Add(Numbered(0));
        await using var store = await site.OpenAsync(new FailingDisk(0, forGood: false));
        await site.StageAllAsync(store, flip: true);

        using var done = new CancellationTokenSource();
        var flips = 0;
        var looks = 0;
        var reader = Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                var before = Volatile.Read(ref flips);
                if (before % 2 == 1)
                {
                    continue;
                }

                var seen = new HashSet<string>();
                try
                {
                    for (var file = 0; file < Files; file++)
                    {
                        seen.Add(File.ReadAllText(Path.Combine(store.CurrentLink, $"d{file % 3}/f{file}")));
                    }
                }
                catch (IOException) when (Volatile.Read(ref flips) != before)
                {
                    // The link moved on under the look, and so did the slot that was current: apps are drained before that.
                    continue;
                }

                if (Volatile.Read(ref flips) == before)
                {
                    looks++;
                    Assert.Single(seen);
                }
            }
        });
        for (var number = 1; number <= 25; number++)
        {
            site.Add(Numbered(number));
            var next = site.Versions[^1].Record;
            await StageAsync(store, await site.PackAsync(store.Head, next));

            // Odd while the link is being moved: a look over that moment is not judged.
            Interlocked.Increment(ref flips);
            await store.FlipAsync(CancellationToken.None);
            Interlocked.Increment(ref flips);
        }

        await done.CancelAsync();
        await reader;
        Assert.True(looks > 25, $"only {looks} looks");
    }

    [Fact]
    public async Task A_damaged_file_does_not_stop_the_next_version_and_a_fill_heals()
    {
        var first = site.Add(SampleTrees.First);
        var second = site.Add(SampleTrees.Second);
        var third = site.Add(SampleTrees.Third);
        await using var store = await site.OpenAsync();
        await StageAsync(store, await site.PackAsync(null, first));
        await store.FlipAsync(CancellationToken.None);
        Damage(store, "index.html");
        Damage(store, "disk.img");

        // Its content is in the next version no more: that one comes in, and the note says what was lost.
        await StageAsync(store, await site.PackAsync(null, second, SampleTrees.First.Contents().ContainsKey));
        await store.FlipAsync(CancellationToken.None);
        Assert.StartsWith("damaged: ", store.Versions[0].Note, StringComparison.Ordinal);
        Assert.Equal([false, true], store.Versions.Select(version => version.Restorable));
        Assert.Equal(1, (await store.VerifyAsync(readData: true, null, CancellationToken.None)).Count(finding => finding.What.Contains($"/{store.HeadSlot}/", StringComparison.Ordinal)));

        // All of the same version again, then a newer one: every file is new.
        await StageAsync(store, await site.PackAsync(null, second));
        Assert.NotEqual(new FileInfo(store.CurrentLink).LinkTarget, $"slots/{store.HeadSlot}");
        await store.FlipAsync(CancellationToken.None);
        await VersionedSite.AssertCleanAsync(store);
        TreeAssert.Holds(SampleTrees.Second, store.CurrentLink);
        await StageAsync(store, await site.PackAsync(second, third));
        await store.FlipAsync(CancellationToken.None);
        await VersionedSite.AssertCleanAsync(store);
        await site.AssertRestoresAsync(store, second);
    }

    private static Task<VersionRecord> StageAsync(VersionStore store, string pack) => store.StageAsync(pack, null, CancellationToken.None);

    private static void Damage(VersionStore store, string path)
    {
        var file = Path.Combine(store.CurrentLink, path);
        var mode = File.GetUnixFileMode(file);
        using (var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite))
        {
            var value = stream.ReadByte();
            stream.Position = 0;
            stream.WriteByte((byte)(value ^ 1));
        }

        File.SetUnixFileMode(file, mode);
        using var tree = new TreeHandle(store.CurrentLink);
        Posix.SetModificationTime(System.Text.Encoding.UTF8.GetBytes(file + "\0"), TreeLiteral.SomeTime);
        Assert.Equal(TreeLiteral.SomeTime, InodeFacts.Of(tree, EntryPath.Parse(path))!.Value.MtimeNs);
    }

    private static async Task<string> DamagedAsync(string pack)
    {
        var bytes = await File.ReadAllBytesAsync(pack);
        bytes[bytes.Length / 2] ^= 0x10;
        var path = pack + ".damaged";
        await File.WriteAllBytesAsync(path, bytes);
        return path;
    }
}
