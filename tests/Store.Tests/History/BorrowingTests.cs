using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.History;

/// <summary>What a store lacks is lent by other stores of the same site: whole ones, poor ones, liars, and such as go away.</summary>
public sealed class BorrowingTests : IAsyncLifetime, IDisposable
{
    private readonly VersionedSite site = new();
    private readonly List<VersionedSite> others = [];
    private readonly List<VersionStore> stores = [];

    private string History => Path.Combine(site.StoreDirectory, "history");

    public async Task InitializeAsync()
    {
        foreach (var tree in SampleTrees.All.Append(SampleTrees.Third.File("index.html", "<h1>Fourth</h1>").File("media/picture", SampleTrees.Text(6, 120_000))))
        {
            site.Add(tree);
        }

        await using var store = await site.OpenAsync();
        await site.StageAllAsync(store, flip: true);
    }

    public async Task DisposeAsync()
    {
        foreach (var store in stores)
        {
            await store.DisposeAsync();
        }
    }

    public void Dispose()
    {
        others.ForEach(other => other.Dispose());
        site.Dispose();
    }

    [Fact]
    public async Task Whichever_packs_are_gone_every_version_comes_back_as_it_was()
    {
        var lender = await OtherAsync();
        foreach (var gone in Subsets(Directory.GetFiles(History, "*.pack")))
        {
            foreach (var pack in gone)
            {
                File.Move(pack, pack + ".away");
            }

            await using (var store = await site.OpenAsync())
            {
                store.BorrowFrom(new Peers(("beta", lender)));
                await site.AssertAllRestoreAsync(store);
            }

            foreach (var pack in gone)
            {
                File.Move(pack + ".away", pack);
            }
        }
    }

    [Fact]
    public async Task The_report_says_what_was_damaged_and_how_much_came_from_whom()
    {
        var peers = new Peers(("beta", await OtherAsync()));
        FlipByte(Path.Combine(History, "1.4-1.3.pack"), 150);
        await using var store = await site.OpenAsync();
        store.BorrowFrom(peers);

        var report = await RestoreAsync(store, new VersionId(1, 3));

        var share = Assert.Single(report.Peers);
        Assert.Equal("beta", share.Peer);
        Assert.InRange(share.Contents, 1, 2);
        Assert.InRange(share.Bytes, 1, 200_000);
        Assert.Contains(report.Detours, detour => detour.Damaged.Contains("1.4-1.3.pack", StringComparison.Ordinal) && detour.Instead.Contains("beta", StringComparison.Ordinal));
        Assert.Contains(report.Damaged, line => line.Contains("1.4-1.3.pack", StringComparison.Ordinal));

        // What was lent is not kept: the pack is as damaged as before.
        var finding = Assert.Single(await store.VerifyAsync(readData: true, null, CancellationToken.None));
        Assert.Contains("1.4-1.3.pack", finding.What, StringComparison.Ordinal);
        Assert.Contains("borrowed from other nodes", finding.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dry_run_says_who_would_lend_and_nothing_is_fetched()
    {
        var peers = new Peers(("beta", await OtherAsync()));
        File.Delete(Path.Combine(History, "1.2-1.1.pack"));
        await using var store = await site.OpenAsync();
        store.BorrowFrom(peers);

        var plan = await store.PlanRestoreAsync(new VersionId(1, 1), site.Files["restored"], RestoreOptions.Everything, CancellationToken.None);

        Assert.Equal("beta", Assert.Single(plan.Peers).Peer);
        Assert.DoesNotContain(peers.Asked, asked => asked.StartsWith("fetch contents", StringComparison.Ordinal));
        Assert.False(Path.Exists(site.Files["restored"]));
    }

    [Fact]
    public async Task A_peer_that_lies_is_found_out_and_the_next_is_asked()
    {
        var honest = await OtherAsync();
        File.Delete(Path.Combine(History, "1.4-1.3.pack"));
        await using var store = await site.OpenAsync();
        var peers = new Peers(("liar", honest), ("garbler", honest), ("beta", honest));
        peers.Bend("liar", Lies.OtherBytes);
        peers.Bend("garbler", Lies.NoPack);
        store.BorrowFrom(peers);

        var report = await RestoreAsync(store, new VersionId(1, 3));

        Assert.Equal(["beta"], report.Peers.Select(share => share.Peer));
        Assert.Contains(report.Detours, detour => detour.Damaged.StartsWith("liar: ", StringComparison.Ordinal) && detour.Damaged.Contains("SHA-256", StringComparison.Ordinal));
        Assert.Contains(report.Detours, detour => detour.Damaged.StartsWith("garbler: ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_peer_that_goes_away_in_the_middle_is_not_asked_again_and_the_next_is()
    {
        var whole = await OtherAsync();
        Directory.Delete(History, recursive: true);
        Directory.CreateDirectory(History);
        await using var store = await site.OpenAsync();
        var peers = new Peers(("dying", whole), ("beta", whole));
        peers.Bend("dying", Lies.EndsEarly);
        store.BorrowFrom(peers);

        foreach (var (record, tree) in site.Versions)
        {
            peers.Asked.Clear();
            var report = await RestoreAsync(store, record.Id);
            Assert.DoesNotContain(report.Peers, share => share.Peer == "dying");
            Assert.True(peers.Asked.Count(asked => asked.StartsWith("fetch contents dying", StringComparison.Ordinal)) <= 1);
        }
    }

    [Fact]
    public async Task What_one_peer_lacks_another_lends()
    {
        var (poor, rich) = (await OtherAsync("1.3-1.2.pack"), await OtherAsync("1.4-1.3.pack"));
        FlipByte(Path.Combine(History, "1.4-1.3.pack"), 150);
        FlipByte(Path.Combine(History, "1.3-1.2.pack"), 150);
        await using var store = await site.OpenAsync();
        store.BorrowFrom(new Peers(("beta", poor), ("gamma", rich)));

        var report = await RestoreAsync(store, new VersionId(1, 3));
        Assert.Equal(["beta"], report.Peers.Select(share => share.Peer));

        // Neither has all of it: one has the picture, the other what became a link.
        report = await RestoreAsync(store, new VersionId(1, 2));
        Assert.Equal(["beta", "gamma"], report.Peers.Select(share => share.Peer).Order());
    }

    [Fact]
    public async Task What_nobody_has_is_refused_before_anything_is_written_and_says_who_was_not_asked()
    {
        var poor = await OtherAsync("1.4-1.3.pack");
        FlipByte(Path.Combine(History, "1.4-1.3.pack"), 150);
        await using var store = await site.OpenAsync();
        var peers = new Peers(("beta", poor), ("away", poor));
        peers.Bend("away", Lies.Unreachable);
        store.BorrowFrom(peers);

        var error = await Assert.ThrowsAsync<StoreException>(() => store.RestoreAsync(new VersionId(1, 3), site.Files["restored"], null, CancellationToken.None));

        Assert.Contains("nor on a node that could be asked", error.Message, StringComparison.Ordinal);
        Assert.Contains("away (it is down)", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(site.Files.Path, "restored*"));
    }

    [Fact]
    public async Task A_damaged_file_of_the_newest_tree_is_lent()
    {
        var lender = await OtherAsync();
        await using var store = await site.OpenAsync();
        store.BorrowFrom(new Peers(("beta", lender)));
        var file = Path.Combine(store.CurrentLink, "media/picture");
        var times = File.GetLastWriteTimeUtc(file);
        FlipByte(file, 10);
        File.SetLastWriteTimeUtc(file, times);

        var report = await RestoreAsync(store, new VersionId(1, 4));

        Assert.Equal(1, Assert.Single(report.Peers).Contents);
        Assert.Contains(report.Detours, detour => detour.Damaged.Contains("media/picture", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_file_and_a_diff_of_versions_whose_packs_are_gone()
    {
        var lender = await OtherAsync();
        Directory.Delete(History, recursive: true);
        Directory.CreateDirectory(History);
        await using var store = await site.OpenAsync();
        store.BorrowFrom(new Peers(("beta", lender)));

        using var content = new MemoryStream();
        await store.CopyContentAsync(new VersionId(1, 1), EntryPath.Parse("index.html"), content, CancellationToken.None);
        Assert.Equal("<h1>Welcome</h1>"u8.ToArray(), content.ToArray());

        var expected = PathChange.Between(SampleTrees.First.ToManifest(), SampleTrees.Second.ToManifest());
        var changes = await store.ReadAsync(at => at.Diff(new VersionId(1, 1), new VersionId(1, 2)), CancellationToken.None);
        Assert.Equal(expected, changes);
    }

    [Fact]
    public async Task A_false_manifest_is_not_believed()
    {
        var lender = await OtherAsync();
        Directory.Delete(History, recursive: true);
        Directory.CreateDirectory(History);
        await using var store = await site.OpenAsync();
        var peers = new Peers(("liar", lender));
        peers.Bend("liar", Lies.OtherManifest);
        store.BorrowFrom(peers);

        var error = await Assert.ThrowsAnyAsync<StoreException>(() => RestoreAsync(store, new VersionId(1, 1)));
        Assert.Contains("manifest of 1.1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_is_asked_asks_nobody_else()
    {
        var poor = await OtherAsync("1.4-1.3.pack");
        var rich = await OtherAsync();
        var further = new Peers(("rich", rich));
        poor.BorrowFrom(further);
        var lacking = SampleTrees.Third.ToManifest().Find(EntryPath.Parse("index.html"))!.Hash;

        Assert.Empty(await poor.FindContentsAsync([lacking], CancellationToken.None));
        using var pack = new MemoryStream();
        Assert.Equal(0, await poor.LendAsync(default, [lacking], pack, CancellationToken.None));
        Assert.Empty(further.Asked);
    }

    private async Task<RestoreReport> RestoreAsync(VersionStore store, VersionId version)
    {
        var destination = site.Files[$"restored-{Guid.NewGuid():N}"];
        var report = await store.RestoreAsync(version, destination, null, CancellationToken.None);
        TreeAssert.Holds(site.TreeOf(version), destination);
        site.TreeRemove(destination);
        return report;
    }

    /// <summary>Another node with the same versions, but for these packs.</summary>
    private async Task<VersionStore> OtherAsync(params string[] without)
    {
        var other = new VersionedSite(site);
        others.Add(other);
        var store = await other.OpenAsync();
        await other.StageAllAsync(store, flip: true);
        await store.DisposeAsync();
        foreach (var pack in without)
        {
            File.Delete(Path.Combine(other.StoreDirectory, "history", pack));
        }

        store = await other.OpenAsync();
        stores.Add(store);
        return store;
    }

    private static IEnumerable<string[]> Subsets(string[] all) =>
        Enumerable.Range(1, (1 << all.Length) - 1).Select(bits => all.Where((_, at) => (bits >> at & 1) != 0).ToArray());

    private static void FlipByte(string path, int at)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.Position = at;
        var value = file.ReadByte();
        file.Position = at;
        file.WriteByte((byte)(value ^ 0x40));
    }

    private enum Lies
    {
        None,
        OtherBytes,
        OtherManifest,
        NoPack,
        EndsEarly,
        Unreachable,
    }

    /// <summary>Stores in this process, some of which do not answer as they should.</summary>
    private sealed class Peers(params (string Name, VersionStore Store)[] stores) : IContentPeers
    {
        private readonly Dictionary<string, Lies> bent = [];

        public List<string> Asked { get; } = [];

        public IReadOnlyList<string> Names => [.. stores.Select(store => store.Name)];

        public void Bend(string name, Lies how) => bent[name] = how;

        public async Task<IReadOnlySet<ContentHash>> FindAsync(string peer, IReadOnlyList<ContentHash> wanted, CancellationToken cancellation)
        {
            Asked.Add($"find {peer}");
            return bent.GetValueOrDefault(peer) == Lies.Unreachable
                ? throw new PeerException("it is down")
                : await StoreOf(peer).FindContentsAsync(wanted, cancellation);
        }

        public async Task FetchAsync(string peer, VersionId manifestOf, IReadOnlyList<ContentHash> wanted, Stream pack, long most, CancellationToken cancellation)
        {
            Asked.Add($"fetch {(manifestOf.IsNone ? "contents" : "manifest")} {peer}");
            var how = bent.GetValueOrDefault(peer);
            using var whole = new MemoryStream();
            try
            {
                await StoreOf(peer).LendAsync(how == Lies.OtherManifest ? StoreOf(peer).Head!.Id : manifestOf, wanted, whole, cancellation);
            }
            catch (StoreException failure)
            {
                throw new PeerException(failure.Message);
            }

            Assert.InRange(whole.Length, 1, most);
            if (how == Lies.Unreachable)
            {
                throw new PeerException("it is down");
            }

            if (manifestOf.IsNone && how == Lies.OtherBytes)
            {
                await WriteLiesAsync(StoreOf(peer), wanted, pack);
                return;
            }

            var sent = !manifestOf.IsNone || how is Lies.None or Lies.OtherManifest ? whole.ToArray()
                : how == Lies.NoPack ? new byte[5000]
                : whole.ToArray()[..(int)(whole.Length / 2)];
            await pack.WriteAsync(sent, cancellation);
            if (manifestOf.IsNone && how == Lies.EndsEarly)
            {
                throw new PeerException("the connection was reset");
            }
        }

        /// <summary>A sound pack with the right names and lengths and other bytes.</summary>
        private static async Task WriteLiesAsync(VersionStore store, IReadOnlyList<ContentHash> wanted, Stream pack)
        {
            using var honest = new MemoryStream();
            await store.LendAsync(default, wanted, honest, CancellationToken.None);
            var path = Path.Combine(store.Directory, "honest.tmp");
            await File.WriteAllBytesAsync(path, honest.ToArray());
            using (var reader = PackReader.Open(path))
            {
                await using var writer = new PackWriter(pack, reader.Header);
                foreach (var blob in reader.Blobs)
                {
                    await using var lie = writer.BeginBlob();
                    await FileDelta.EncodeAsync(new MemoryStream(SampleTrees.Text(99, (int)blob.Size)), null, default, lie.Delta, CancellationToken.None);
                    await lie.CompleteAsync(blob.Hash, default, blob.Size);
                }

                await writer.CompleteAsync(reader.Version, reader.ReadChanges(), CancellationToken.None);
            }

            File.Delete(path);
        }

        private VersionStore StoreOf(string peer) => stores.First(store => store.Name == peer).Store;
    }
}
