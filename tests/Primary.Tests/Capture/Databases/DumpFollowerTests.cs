using System.Security.Cryptography;
using System.Text;
using Mirror.Delta;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Primary.Capture.Databases;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Testing;

namespace Mirror.Primary.Tests.Capture.Databases;

/// <summary>Files of a dump are hashed and compared while they are written; what was read too early is read again.</summary>
public sealed class DumpFollowerTests
{
    private const int Long = 3 << 20;

    private static readonly BlockKey key = new(7);

    [Fact]
    public async Task A_file_that_comes_bit_by_bit_is_known_when_its_writer_is_done()
    {
        using var files = new TemporaryDirectory();
        var (old, now) = (Rows(1), Rows(2));
        File.WriteAllBytes(files["old"], old);
        var signature = (await BlockSignature.SignAsync(new MemoryStream(old), old.Length, key, CancellationToken.None)).Signature;
        var basis = new DumpBasis(ContentHash.From(SHA256.HashData(old)), () => signature, InSpool: false);
        var follower = Follower(files, name => name == "table" ? basis : null);

        var said = await follower.BesideAsync(async token =>
        {
            await WriteSlowlyAsync(files["dump/table"], now, token);
            await WriteSlowlyAsync(files["dump/new"], old, token);
            File.WriteAllText(files["dump/short"], "too short to be worth it");
            return "done";
        }, CancellationToken.None);

        Assert.Equal("done", said);
        Assert.Equal(["new", "table"], follower.Files.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(SHA256.HashData(old), follower.Files["new"].Hash.ToArray());
        var found = follower.Files["table"];
        Assert.Equal((ContentHash.From(SHA256.HashData(now)), basis.Hash), (found.Hash, found.Basis));
        Assert.Equal(TreeScanner.Stat(files["dump"], EntryPath.Parse("table")), found.Stat);

        // What was found makes the very delta that both contents make, and makes it again.
        using var whole = new MemoryStream();
        await FileDelta.EncodeExactAsync(new MemoryStream(now), signature, new MemoryStream(old), key, whole, CancellationToken.None);
        for (var time = 0; time < 2; time++)
        {
            using var delta = new MemoryStream();
            await FileDelta.WriteExactAsync(found.Copies!, File.OpenRead(files["dump/table"]), File.OpenRead(files["old"]), delta, CancellationToken.None);
            Assert.Equal(whole.ToArray(), delta.ToArray());
        }
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(1, false)]
    public async Task What_was_quiet_is_known_again_without_its_hash_and_a_surprise_is_hashed(int round, bool quiet)
    {
        using var files = new TemporaryDirectory();
        var (old, now) = (Rows(1), Rows(round));
        var signature = (await BlockSignature.SignAsync(new MemoryStream(old), old.Length, key, CancellationToken.None)).Signature;
        // Not what it is: so it shows where it was taken from.
        var told = ContentHash.From(SHA256.HashData("told"u8));
        var follower = Follower(files, _ => new DumpBasis(told, () => signature, InSpool: false) { IsQuiet = quiet });

        await follower.BesideAsync(async token =>
        {
            await WriteSlowlyAsync(files["dump/table"], now, token);
            return true;
        }, CancellationToken.None);

        var found = follower.Files["table"];
        Assert.Equal(round == 1, found.Copies!.IsBasis);
        Assert.Equal(quiet && round == 1 ? told : ContentHash.From(SHA256.HashData(now)), found.Hash);
    }

    [Fact]
    public async Task A_file_that_grows_again_after_the_next_was_begun_is_not_taken_for_what_it_was()
    {
        using var files = new TemporaryDirectory();
        var follower = Follower(files, static _ => null);
        await follower.BesideAsync(async token =>
        {
            await WriteSlowlyAsync(files["dump/list"], Rows(1), token);
            await WriteSlowlyAsync(files["dump/object"], Rows(2), token);
            await File.AppendAllTextAsync(files["dump/list"], "one more", token);
            await WriteSlowlyAsync(files["dump/other"], Rows(3), token);
            return true;
        }, CancellationToken.None);

        // It was read to its end before it grew, or after that; never half.
        var stat = TreeScanner.Stat(files["dump"], EntryPath.Parse("list"))!.Value;
        Assert.True(!follower.Files.TryGetValue("list", out var list) || list.Stat != stat || list.Hash == ContentHash.From(SHA256.HashData(File.ReadAllBytes(files["dump/list"]))));
        Assert.Equal(SHA256.HashData(Rows(2)), follower.Files["object"].Hash.ToArray());
    }

    [Fact]
    public async Task What_the_spool_has_already_gives_its_room_back_while_the_dump_goes_on()
    {
        using var files = new TemporaryDirectory();
        var same = Rows(1);
        var basis = new DumpBasis(ContentHash.From(SHA256.HashData(same)), static () => null, InSpool: true);
        var gone = new TaskCompletionSource();
        var follower = new DumpFollower(files["dump"], null, _ => basis, key, TimeProvider.System) { IsDoneWhenNextBegins = name => name == "table" };
        Directory.CreateDirectory(files["dump"]);
        await follower.BesideAsync(async token =>
        {
            await WriteSlowlyAsync(files["dump/table"], same, token);
            await WriteSlowlyAsync(files["dump/list"], same, token);
            await WriteSlowlyAsync(files["dump/last"], same, token);
            while (File.Exists(files["dump/table"]))
            {
                await Task.Delay(5, token);
            }

            return true;
        }, CancellationToken.None).WaitAsync(TimeSpan.FromMinutes(1));

        Assert.Equal(["table"], follower.Unchanged);
        Assert.True(follower.IsUnchanged("list"));
        Assert.Equal(["last", "list"], Directory.GetFiles(files["dump"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task When_the_writer_fails_so_does_the_reading_and_nothing_was_found()
    {
        using var files = new TemporaryDirectory();
        var follower = Follower(files, static _ => null);

        var failure = await Assert.ThrowsAsync<IOException>(() => follower.BesideAsync<bool>(async token =>
        {
            await WriteSlowlyAsync(files["dump/one"], Rows(1), token);
            await WriteSlowlyAsync(files["dump/two"], Rows(2), token);
            throw new IOException("No space left on device");
        }, CancellationToken.None));

        Assert.Equal("No space left on device", failure.Message);
        Assert.Empty(follower.Files);
    }

    [Fact]
    public async Task When_the_reading_fails_the_writer_is_stopped()
    {
        using var files = new TemporaryDirectory();
        var follower = Follower(files, static _ => throw new IOException("The index cannot be read"));

        var failure = await Assert.ThrowsAsync<IOException>(() => follower.BesideAsync(async token =>
        {
            await WriteSlowlyAsync(files["dump/one"], Rows(1), token);
            await Task.Delay(Timeout.Infinite, token);
            return true;
        }, CancellationToken.None).WaitAsync(TimeSpan.FromMinutes(1)));

        Assert.Equal("The index cannot be read", failure.Message);
    }

    [Fact]
    public async Task What_grew_beyond_all_expectation_is_cut_and_says_so()
    {
        using var files = new TemporaryDirectory();
        File.WriteAllBytes(files["long"], new byte[1000]);
        using var handle = File.OpenHandle(files["long"]);
        await using var cut = new GrowingFile(handle, 600, static _ => ValueTask.FromResult(true));
        await using var whole = new GrowingFile(handle, 1000, static _ => ValueTask.FromResult(true));

        await cut.CopyToAsync(Stream.Null, 100);
        await whole.CopyToAsync(Stream.Null, 100);

        Assert.True(cut.IsCut);
        Assert.InRange(cut.Position, 601, 999);
        Assert.Equal((false, 1000), (whole.IsCut, whole.Position));
    }

    [Fact]
    public async Task What_a_command_prints_is_known_before_the_capture_begins_and_a_replica_builds_it()
    {
        await using var site = await LiveSite.MakeAsync([Printing]);
        var replica = await site.ReplicaAsync();
        for (var round = 1; round <= 3; round++)
        {
            File.WriteAllBytes(Path.Combine(site.Root, "source"), Rows(round));
            var captured = await site.CaptureAsync();

            await LiveSite.StageAsync(replica, captured.Pack!);
            Assert.Equal(Rows(round), File.ReadAllBytes(Path.Combine(replica.HeadTree, ".mirror/dumps/any")));
            if (round > 1)
            {
                Assert.InRange(new FileInfo(captured.Pack!).Length, 1, Long / 20);
            }
        }

        File.WriteAllBytes(Path.Combine(site.Root, "source"), Rows(4));
        var contents = await site.Dumps.RunAsync(site.Store, CancellationToken.None);
        var dump = EntryPath.Parse(".mirror/dumps/any");
        var stat = TreeScanner.Stat(site.Spool, EntryPath.Parse("any"))!.Value;
        var found = contents.Find(dump, stat)!;
        Assert.Equal((ContentHash.From(SHA256.HashData(Rows(4))), site.Store.HeadManifest.Find(dump)!.Hash), (found.Hash, found.Basis));
        Assert.Null(contents.Find(dump, stat with { MtimeNs = stat.MtimeNs + 1 }));
    }

    [Fact]
    public async Task Without_the_last_dump_at_hand_what_was_found_still_becomes_a_version()
    {
        await using var site = await LiveSite.MakeAsync([Printing]);
        var replica = await site.ReplicaAsync();
        File.WriteAllBytes(Path.Combine(site.Root, "source"), Rows(1));
        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);
        File.WriteAllBytes(Path.Combine(site.Root, "source"), Rows(2));
        Directory.Delete(site.Spool + ".before", recursive: true);

        var captured = await site.CaptureAsync();

        await LiveSite.StageAsync(replica, captured.Pack!);
        Assert.Equal(Rows(2), File.ReadAllBytes(Path.Combine(replica.HeadTree, ".mirror/dumps/any")));
        Assert.InRange(new FileInfo(captured.Pack!).Length, 1, Long / 4);
    }

    [Fact]
    public async Task What_was_left_before_the_machine_went_down_is_not_believed()
    {
        await using var site = await LiveSite.MakeAsync([Printing]);
        var replica = await site.ReplicaAsync();
        File.WriteAllBytes(Path.Combine(site.Root, "source"), Rows(1));
        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);

        // Lengths and times may survive what the content did not: here all are gone, and only a mark of another boot tells.
        File.WriteAllText(DumpBoot.MarkOf(site.Spool), "another boot\n");
        foreach (var kept in Directory.GetFiles(site.Spool + ".before"))
        {
            File.WriteAllBytes(kept, new byte[Long]);
        }

        File.WriteAllBytes(Path.Combine(site.Root, "source"), Rows(2));
        var after = new SiteDumps(site.Config, site.Live.Tree, site.Live.Slot, site.Spool, TimeProvider.System);
        await after.RunAsync(site.Store, CancellationToken.None);

        Assert.False(Directory.Exists(site.Spool + ".before"));
        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);
        Assert.Equal(Rows(2), File.ReadAllBytes(Path.Combine(replica.HeadTree, ".mirror/dumps/any")));
    }

    private static DatabaseConfig Printing => new("any", DatabaseKind.Command, null, null) { Command = ["sh", "-c", "cat \"$MIRROR_ROOT/source\""] };

    private static DumpFollower Follower(TemporaryDirectory files, Func<string, DumpBasis?> basisOf)
    {
        Directory.CreateDirectory(files["dump"]);
        return new DumpFollower(files["dump"], null, basisOf, key, TimeProvider.System);
    }

    /// <summary>Lines that differ in one of a thousand from another round's.</summary>
    private static byte[] Rows(int round)
    {
        var random = new Random(4711);
        var text = new StringBuilder(Long + 100);
        for (var row = 0; text.Length < Long; row++)
        {
            text.Append(row).Append('\t').Append(row % 1000 == round ? round : 0).Append('\t').Append(random.NextInt64()).Append('\n');
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static async Task WriteSlowlyAsync(string path, byte[] content, CancellationToken cancellation)
    {
        await using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        foreach (var piece in content.Chunk(300_000))
        {
            await file.WriteAsync(piece, cancellation);
            await Task.Delay(2, cancellation);
        }
    }
}
