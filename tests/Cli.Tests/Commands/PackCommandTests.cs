using System.Security.Cryptography;
using System.Text;
using Mirror.Cli.Output;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;
using Mirror.Testing;

namespace Mirror.Cli.Tests.Commands;

/// <summary><c>mirror pack</c> on a pack from 1.1 to 1.2 that brings one content whole, one as a delta, and moves a third.</summary>
public sealed class PackCommandTests : IAsyncLifetime, IDisposable
{
    private const string KeyDigits = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    private static readonly byte[] oldPage = Noise(1, 50_000);
    private static readonly byte[] newPage = [.. oldPage[..20_000], 1, 2, 3, .. oldPage[20_000..]];
    private static readonly byte[] added = Encoding.UTF8.GetBytes("a page that was not there before\n");
    private static readonly byte[] moved = Noise(2, 100);
    private readonly TemporaryDirectory files = new();

    private string Pack => files["1.1-1.2.pack"];

    public Task InitializeAsync() => WriteAsync(Pack, null);

    public Task DisposeAsync() => Task.CompletedTask;

    public void Dispose() => files.Dispose();

    [Fact]
    public async Task Ls_tells_where_the_pack_leads_and_what_it_brings()
    {
        var ended = await MirrorProgram.RunAsync("pack", "ls", Pack, "--json");

        Assert.Equal(ExitCode.Ok, ended.Code);
        var header = ended.Json.GetProperty("header");
        Assert.Equal(("wiki", "1.1", "1.2"), (header.GetProperty("site").GetString(), header.GetProperty("from").GetString(), header.GetProperty("to").GetString()));
        Assert.Equal(
            ["added whole", "empty empty", "moved kept", "page delta"],
            ended.Json.GetProperty("put").EnumerateArray().Select(entry => $"{entry.GetProperty("path").GetString()} {entry.GetProperty("content").GetString()}"));
        Assert.Equal(["gone"], ended.Json.GetProperty("removed").EnumerateArray().Select(path => path.GetString()!));
        var blobs = ended.Json.GetProperty("blobs").EnumerateArray().ToList();
        Assert.Equal(["whole", "delta"], blobs.Select(blob => blob.GetProperty("kind").GetString()!));
        Assert.Equal(Hash(oldPage).ToString(), blobs[1].GetProperty("basis").GetString());

        var text = await MirrorProgram.RunAsync("pack", "ls", Pack);
        Assert.Contains("4 put, 1 removed", text.Output, StringComparison.Ordinal);
        Assert.Contains($"{newPage.Length} delta page", text.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ls_and_stat_name_directories_that_moved_as_a_whole()
    {
        var path = files["moved.pack"];
        await WriteAsync(path, null, moves: [new DirectoryMove(EntryPath.Parse("old/pages"), EntryPath.Parse("new"))]);

        var listed = await MirrorProgram.RunAsync("pack", "ls", path, "--json");
        Assert.Equal(["old/pages new"], listed.Json.GetProperty("moved").EnumerateArray().Select(move => $"{move.GetProperty("from").GetString()} {move.GetProperty("to").GetString()}"));
        var text = await MirrorProgram.RunAsync("pack", "ls", path);
        Assert.Contains("1 directories moved with all they hold; beside that 4 put, 1 removed", text.Output, StringComparison.Ordinal);
        Assert.Contains("old/pages -> new", text.Output, StringComparison.Ordinal);
        Assert.Equal(1, (await MirrorProgram.RunAsync("pack", "stat", path, "--json")).Json.GetProperty("moved").GetInt32());
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("pack", "verify", path)).Code);
    }

    [Fact]
    public async Task Stat_counts_contents_and_bytes()
    {
        var ended = await MirrorProgram.RunAsync("pack", "stat", Pack, "--json");

        Assert.Equal(ExitCode.Ok, ended.Code);
        Assert.Equal(1, ended.Json.GetProperty("whole").GetProperty("count").GetInt32());
        Assert.Equal(newPage.Length, ended.Json.GetProperty("delta").GetProperty("size").GetInt64());
        Assert.Equal(["header", "data", "changes", "index", "trailer"], ended.Json.GetProperty("frames").EnumerateArray().Select(kind => kind.GetProperty("kind").GetString()!));
    }

    [Fact]
    public async Task Verify_checks_whole_contents_and_with_a_tree_the_deltas()
    {
        var alone = await MirrorProgram.RunAsync("pack", "verify", Pack, "--json");
        Assert.Equal(ExitCode.Ok, alone.Code);
        Assert.Equal((1, 0, 1), Counts(alone));

        // Wherever the old content lies in the tree.
        Directory.CreateDirectory(files["tree/below"]);
        await File.WriteAllBytesAsync(files["tree/below/renamed"], oldPage);
        var checkedAll = await MirrorProgram.RunAsync("pack", "verify", Pack, "--basis-tree", files["tree"], "--json");
        Assert.Equal(ExitCode.Ok, checkedAll.Code);
        Assert.Equal((1, 1, 0), Counts(checkedAll));

        await File.WriteAllBytesAsync(files["tree/below/renamed"], newPage);
        var other = await MirrorProgram.RunAsync("pack", "verify", Pack, "--basis-tree", files["tree"]);
        Assert.Contains("1 deltas not checked by SHA-256: what they copy from is not in that tree", other.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_finds_a_content_that_is_not_what_its_hash_says()
    {
        var forged = files["forged.pack"];
        await WriteAsync(forged, null, lie: true);

        var ended = await MirrorProgram.RunAsync("pack", "verify", forged, "--json");

        Assert.Equal(ExitCode.Findings, ended.Code);
        Assert.Contains($"it yields the content {Hash("another\n"u8.ToArray())}", Assert.Single(Findings(ended)), StringComparison.Ordinal);
        Assert.Equal(ExitCode.Failed, (await MirrorProgram.RunAsync("pack", "cat", forged, "added")).Code);
    }

    [Fact]
    public async Task Damage_of_every_sort_is_named_and_no_pack_is_taken_for_one()
    {
        var bytes = await File.ReadAllBytesAsync(Pack);
        var cut = await SaveAsync("cut", bytes[..^1]);
        await RefusedAsync("ls", cut, "it was cut short, or its end is damaged");
        await RefusedAsync("stat", await SaveAsync("shorter", bytes[..7]), "it is cut short: 7 bytes");
        await RefusedAsync("ls", await SaveAsync("text", "no pack at all, but a text"u8.ToArray()), "it is not a pack");
        await RefusedAsync("cat", await SaveAsync("newer", [.. bytes[..8], 2, 0, .. bytes[10..]]), "it was made by a newer Mirror: format 2, this one reads 1; upgrade", "added");
        await RefusedAsync("ls", files.Path, "is a directory");
        await RefusedAsync("ls", files["absent"], "absent");

        Assert.Equal(ExitCode.Findings, (await MirrorProgram.RunAsync("pack", "verify", cut)).Code);
        var flipped = bytes.ToArray();
        flipped[110] ^= 4;
        var ended = await MirrorProgram.RunAsync("pack", "verify", await SaveAsync("flipped", flipped), "--json");
        Assert.Equal(ExitCode.Findings, ended.Code);
        Assert.Contains("checksum is wrong", Findings(ended)[0], StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, (await MirrorProgram.RunAsync("pack", "ls")).Code);
    }

    [Fact]
    public async Task Cat_writes_a_content_by_path_or_hash_and_a_delta_from_its_basis()
    {
        await File.WriteAllBytesAsync(files["old"], oldPage);
        await File.WriteAllBytesAsync(files["wrong"], newPage);

        Assert.Equal(Encoding.UTF8.GetString(added), (await MirrorProgram.RunAsync("pack", "cat", Pack, "added")).Output);
        Assert.Equal(Encoding.UTF8.GetString(added), (await MirrorProgram.RunAsync("pack", "cat", Pack, Hash(added).ToString())).Output);
        var empty = await MirrorProgram.RunAsync("pack", "cat", Pack, "empty");
        Assert.Equal((ExitCode.Ok, ""), (empty.Code, empty.Output));
        var shell = Shell.Run("\"$2\" pack cat \"$3\" page --basis \"$1/old\" > \"$1/out\"", files.Path, Path.Combine(AppContext.BaseDirectory, "mirror"), Pack);
        Assert.Empty(shell);
        Assert.Equal(newPage, await File.ReadAllBytesAsync(files["out"]));

        await RefusedAsync("cat", Pack, $"Give the file it was made from, as it was in 1.1, with --basis: its SHA-256 is {Hash(oldPage)}", "page");
        await RefusedAsync("cat", Pack, $"the delta was made from {Hash(oldPage)}", "page", "--basis", files["wrong"]);
        await RefusedAsync("cat", Pack, "1.1 has it already", "moved");
        await RefusedAsync("cat", Pack, "neither a path that the pack", "nowhere");
        Assert.Equal(ExitCode.Usage, (await MirrorProgram.RunAsync("pack", "cat", Pack, "added", "--json")).Code);
    }

    [Fact]
    public async Task An_encrypted_pack_takes_its_key_file()
    {
        var path = files["secret.pack"];
        await WriteAsync(path, PackKey.From(Convert.FromHexString(KeyDigits)));
        await File.WriteAllTextAsync(files["key"], KeyDigits + "\n");
        await File.WriteAllTextAsync(files["other"], new string('f', 64));
        await File.WriteAllTextAsync(files["none"], "password");

        await RefusedAsync("ls", path, "no key was given");
        await RefusedAsync("verify", path, "Its file goes behind --key-file", "--key-file", files["other"]);
        await RefusedAsync("ls", path, "openssl rand -hex 32", "--key-file", files["none"]);
        Assert.Equal(Encoding.UTF8.GetString(added), (await MirrorProgram.RunAsync("pack", "cat", path, "added", "--key-file", files["other"], "--key-file", files["key"])).Output);
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("pack", "verify", path, "--key-file", files["key"])).Code);
    }

    [Theory]
    [InlineData("cat \"$1\" | \"$2\" pack ls -")]
    [InlineData("\"$2\" pack ls - < \"$1\"")]
    public async Task A_pack_comes_through_standard_input_as_well(string script)
    {
        var direct = await MirrorProgram.RunAsync("pack", "ls", Pack);
        var piped = Shell.Run(script, Pack, Path.Combine(AppContext.BaseDirectory, "mirror"));
        Assert.Equal(direct.Output.Split('\n')[1..], piped.Split('\n')[1..]);
    }

    private static byte[] Noise(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static ContentHash Hash(byte[] content) => ContentHash.From(SHA256.HashData(content));

    private static (int Whole, int Delta, int Unchecked) Counts(Ended ended) => (
        ended.Json.GetProperty("whole_checked").GetInt32(), ended.Json.GetProperty("delta_checked").GetInt32(), ended.Json.GetProperty("delta_unchecked").GetInt32());

    private static List<string> Findings(Ended ended) => [.. ended.Json.GetProperty("findings").EnumerateArray().Select(finding => finding.GetString()!)];

    private static async Task RefusedAsync(string command, string pack, string reason, params string[] more)
    {
        var ended = await MirrorProgram.RunAsync(["pack", command, pack, .. more]);
        Assert.Equal(ExitCode.Failed, ended.Code);
        Assert.Contains(reason, ended.Errors, StringComparison.Ordinal);
        Assert.Empty(ended.Output);
    }

    private async Task<string> SaveAsync(string name, byte[] bytes)
    {
        await File.WriteAllBytesAsync(files[name], bytes);
        return files[name];
    }

    private static async Task WriteAsync(string path, PackKey? secret, bool lie = false, IReadOnlyList<DirectoryMove>? moves = null)
    {
        var key = new BlockKey(5);
        var signature = (await FileDelta.EncodeAsync(new MemoryStream(oldPage), null, key, Stream.Null, CancellationToken.None)).Signature;
        var header = new PackHeader("wiki", new VersionId(1, 1), Hash("root"u8.ToArray()), new VersionId(1, 2), Partial: false);
        await using var output = File.Create(path);
        await using var writer = new PackWriter(output, header, secret);
        await BlobAsync(writer, lie ? "another\n"u8.ToArray() : added, Hash(added), lie ? 8 : added.Length, null, default, key);
        await BlobAsync(writer, newPage, Hash(newPage), newPage.Length, signature, Hash(oldPage), key);
        var changes = new PackChanges(moves ?? [], [Entry("added", added), Entry("empty", []), Entry("moved", moved), Entry("page", newPage)], [EntryPath.Parse("gone")]);
        var version = new VersionRecord("wiki", new VersionId(1, 2), new VersionId(1, 1), DateTimeOffset.UnixEpoch, "alpha", Hash("to"u8.ToArray()), 5, 50_136, [], Hash("chain"u8.ToArray()));
        await writer.CompleteAsync(version, changes, CancellationToken.None);
    }

    private static async Task BlobAsync(PackWriter writer, byte[] content, ContentHash hash, long size, BlockSignature? basis, ContentHash from, BlockKey key)
    {
        await using var blob = writer.BeginBlob(basis is not null);
        await FileDelta.EncodeAsync(new MemoryStream(content), basis, key, blob.Delta, CancellationToken.None);
        await blob.CompleteAsync(hash, from, size);
    }

    private static Entry Entry(string path, byte[] content) =>
        new() { Path = EntryPath.Parse(path), Type = EntryType.File, Mode = 0x1A4, Size = content.Length, Hash = Hash(content) };
}
