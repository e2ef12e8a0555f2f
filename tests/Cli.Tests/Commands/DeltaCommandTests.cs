using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using Mirror.Cli.Output;
using Mirror.Testing;
using Xunit;

namespace Mirror.Cli.Tests.Commands;

/// <summary><c>mirror delta</c> on files, as a person or a script uses it: every way leads to the file it should, and what does not fit leaves nothing behind.</summary>
public sealed class DeltaCommandTests : IDisposable
{
    private readonly TemporaryDirectory files = new();

    public DeltaCommandTests()
    {
        var old = new byte[700_000];
        new Random(1).NextBytes(old);
        byte[] newer = [.. old[..100_000], 1, 2, 3, .. old[100_000..500_000], .. old[500_097..], 4, 5];
        byte[] newest = [.. newer[200_000..], .. newer[..200_000]];
        File.WriteAllBytes(files["old"], old);
        File.WriteAllBytes(files["new"], newer);
        File.WriteAllBytes(files["newest"], newest);
    }

    [Fact]
    public async Task Signed_diffed_and_patched_the_new_file_comes_out_and_back_again()
    {
        await SignAndDiffAsync("old", "new", "forward");

        var patched = await OkAsync("patch", files["old"], files["forward"], files["result"], "--reverse", files["back"]);

        Assert.Equal(Bytes("new"), Bytes("result"));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Bytes("new"))), patched.GetProperty("hash").GetString());
        Assert.Equal(new FileInfo(files["back"]).Length, patched.GetProperty("reverse_bytes").GetInt64());
        await OkAsync("patch", files["new"], files["back"], files["again"]);
        Assert.Equal(Bytes("old"), Bytes("again"));
        // Exact to the byte: the reverse holds the row of 97 that vanished, and little else.
        Assert.InRange(new FileInfo(files["back"]).Length, 97, 97 + 150);
    }

    [Fact]
    public async Task With_the_basis_at_hand_the_delta_is_smaller()
    {
        var rough = await SignAndDiffAsync("old", "new", "rough");
        var exact = await SignAndDiffAsync("old", "new", "exact", "--basis", files["old"]);

        await OkAsync("patch", files["old"], files["exact"], files["result"]);

        Assert.Equal(Bytes("new"), Bytes("result"));
        Assert.True(exact < rough && exact < 200, $"{exact} and {rough} bytes");
    }

    [Fact]
    public async Task A_quick_delta_is_checked_too()
    {
        await SignAndDiffAsync("old", "new", "delta", "--quick");
        var other = Bytes("old");
        other[3] ^= 1;
        File.WriteAllBytes(files["other"], other);

        await OkAsync("patch", files["old"], files["delta"], files["result"]);

        Assert.Equal(Bytes("new"), Bytes("result"));
        Refused(await RunAsync("patch", files["other"], files["delta"], files["result"]), "does not fit this old file");
    }

    [Fact]
    public async Task The_signature_of_the_new_file_falls_out_of_the_diff()
    {
        await SignAndDiffAsync("old", "new", "first", "--new-sig", files["new.sig"]);

        await OkAsync("diff", files["new.sig"], files["newest"], files["second"]);

        await OkAsync("patch", files["new"], files["second"], files["result"]);
        Assert.Equal(Bytes("newest"), Bytes("result"));
    }

    [Fact]
    public async Task Inverted_and_composed_deltas_lead_where_they_should()
    {
        await SignAndDiffAsync("old", "new", "first");
        await SignAndDiffAsync("new", "newest", "second");

        await OkAsync("invert", files["new"], files["second"], files["back"]);
        await OkAsync("compose", files["first"], files["second"], files["both"]);

        await OkAsync("patch", files["newest"], files["back"], files["new again"]);
        await OkAsync("patch", files["old"], files["both"], files["newest again"]);
        Assert.Equal(Bytes("new"), Bytes("new again"));
        Assert.Equal(Bytes("newest"), Bytes("newest again"));
        // Nothing but what was asked for.
        Assert.Equal(11, Directory.EnumerateFileSystemEntries(files.Path).Count());
    }

    [Fact]
    public async Task Everything_that_can_flow_flows_through_a_dash()
    {
        var mirror = Path.Combine(AppContext.BaseDirectory, "mirror");
        using var shell = Process.Start(new ProcessStartInfo(
            "/bin/sh",
            ["-c", "cat old | \"$0\" delta sign - - >sig && cat new | \"$0\" delta diff sig - - | \"$0\" delta patch old - - >result", mirror]) { WorkingDirectory = files.Path })!;
        await shell.WaitForExitAsync();

        Assert.Equal(0, shell.ExitCode);
        Assert.Equal(Bytes("new"), Bytes("result"));
    }

    [Fact]
    public async Task Another_old_file_is_noticed_before_the_result_gets_its_name()
    {
        await SignAndDiffAsync("old", "new", "delta");
        var other = Bytes("old");
        other[3] ^= 1;
        File.WriteAllBytes(files["same length"], other);
        File.WriteAllText(files["result"], "as it was");
        var before = Names();

        var sameLength = await RunAsync("patch", files["same length"], files["delta"], files["result"]);
        var otherLength = await RunAsync("patch", files["new"], files["delta"], files["result"]);

        Refused(sameLength, "does not fit this old file");
        Refused(otherLength, "was made for a file of 700000");
        Assert.Equal("as it was", File.ReadAllText(files["result"]));
        Assert.Equal(before, Names());
    }

    [Fact]
    public async Task Every_cut_and_every_flipped_bit_of_a_delta_file_is_refused()
    {
        await SignAndDiffAsync("old", "new", "delta", "--basis", files["old"]);
        var delta = Bytes("delta");
        var before = Names();
        var step = delta.Length / 12;
        for (var at = 0; at < delta.Length; at += step)
        {
            File.WriteAllBytes(files["delta"], delta[..at]);
            var cut = await RunAsync("patch", files["old"], files["delta"], files["result"]);
            File.WriteAllBytes(files["delta"], delta.Select((b, i) => i == at ? (byte)(b ^ 0x10) : b).ToArray());
            var flipped = await RunAsync("patch", files["old"], files["delta"], files["result"]);

            Refused(cut, "delta");
            Refused(flipped, "delta");
            Assert.Equal(before, Names());
        }
    }

    [Fact]
    public async Task What_cannot_be_is_said_with_a_remedy()
    {
        await SignAndDiffAsync("old", "new", "delta");
        File.WriteAllText(files["text"], "no delta, and no signature");
        File.WriteAllBytes(files["newer.delta"], [.. Bytes("delta")[..8], 9, .. Bytes("delta")[9..]]);
        Directory.CreateDirectory(files["directory"]);
        var before = Names();

        Refused(await RunAsync("sign", files["absent"], files["sig"]), files["absent"]);
        Refused(await RunAsync("sign", files["directory"], files["sig"]), "mirror save");
        Refused(await RunAsync("sign", files["old"], files["directory"]), "name a file in it");
        Refused(await RunAsync("sign", files["old"], Path.Combine(files["nowhere"], "sig")), "nowhere");
        Refused(await RunAsync("diff", files["text"], files["new"], files["out"]), "no signature file");
        Refused(await RunAsync("diff", files["old.sig"], files["new"], files["out"], "--basis", files["new"]), "the file that was signed had 700000");
        Refused(await RunAsync("patch", files["old"], files["text"], files["out"]), "cannot be read");
        Refused(await RunAsync("patch", files["old"], files["newer.delta"], files["out"]), "newer Mirror");
        Refused(await RunAsync("patch", files["old"], files["delta"], "-", "--reverse", files["out"]), "must be a regular file");
        Refused(await RunAsync("compose", files["delta"], files["delta"], files["out"]), "follow each other");
        Assert.Equal(before, Names());
    }

    [Fact]
    public async Task A_full_disk_is_said_and_leaves_nothing()
    {
        var ended = await RunAsync("sign", files["old"], "/dev/full");

        Assert.Equal(ExitCode.Failed, ended.Code);
        Assert.Contains("No space left on device", ended.Errors, StringComparison.Ordinal);
    }

    public void Dispose() => files.Dispose();

    private async Task<long> SignAndDiffAsync(string old, string newer, string delta, params string[] more)
    {
        await OkAsync("sign", files[old], files[old + ".sig"]);
        return (await OkAsync(["diff", files[old + ".sig"], files[newer], files[delta], .. more])).GetProperty("delta_bytes").GetInt64();
    }

    private static async Task<JsonElement> OkAsync(params string[] arguments)
    {
        var ended = await RunAsync([.. arguments, "--json"]);
        Assert.True(ended.Code == ExitCode.Ok, ended.Errors);
        return ended.Json;
    }

    private static Task<Ended> RunAsync(params string[] arguments) => MirrorProgram.RunAsync(["delta", .. arguments]);

    private static void Refused(Ended ended, string complaint)
    {
        Assert.Equal(ExitCode.Failed, ended.Code);
        Assert.Contains(complaint, ended.Errors, StringComparison.Ordinal);
    }

    private byte[] Bytes(string name) => File.ReadAllBytes(files[name]);

    private IEnumerable<string> Names() => Directory.EnumerateFileSystemEntries(files.Path).Order(StringComparer.Ordinal).ToList();
}
