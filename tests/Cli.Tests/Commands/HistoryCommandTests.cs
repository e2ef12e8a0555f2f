using System.Text;
using Mirror.Cli.Hosting;
using Mirror.Cli.Output;
using Mirror.Store.Manifests;
using Mirror.Testing;

namespace Mirror.Cli.Tests.Commands;

/// <summary>What is in old versions, and how they come back, on a store made by <c>mirror save</c>.</summary>
public sealed class HistoryCommandTests : IDisposable
{
    private readonly TemporaryDirectory files = new();

    private string Source => files["source"];

    private string Store => files["store"];

    public void Dispose() => files.Dispose();

    [Fact]
    public async Task Versions_are_compared_found_shown_and_read()
    {
        await TwoVersionsAsync();

        var diff = await RunAsync("diff", "1.1", "1.2", "--contents");
        Assert.Equal(ExitCode.Findings, diff.Code);
        Assert.Matches(@"(?m)^moved +6 home\.html \(was index\.html\)$", diff.Output);
        Assert.Matches(@"(?m)^content +8 -> 13 pages/start$", diff.Output);
        Assert.Contains("--- 1.1/pages/start\n+++ 1.2/pages/start\n@@ -2,3 +2,4 @@\n b\n c\n d\n+more\n", diff.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("home.html", (await RunAsync("diff", "1.1", "1.2", "pages")).Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Ok, (await RunAsync("diff", "1.2")).Code);
        var changes = (await RunAsync("diff", "1.1", "1.2", "--json")).Json.GetProperty("changes").EnumerateArray().ToList();
        Assert.Equal("index.html", changes.Single(change => change.GetProperty("change").GetString() == "moved").GetProperty("from").GetString());

        var found = await RunAsync("find", "pages/start");
        Assert.Equal(ExitCode.Ok, found.Code);
        Assert.Equal(["1.1", "1.2"], found.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[0]));
        Assert.Equal(["home.html", "index.html", "index.html"], (await RunAsync("find", "*.html", "--json")).Json.GetProperty("changes").EnumerateArray().Select(change => change.GetProperty("path").GetString()).Order());
        Assert.Equal(ExitCode.Findings, (await RunAsync("find", "never/there")).Code);

        Assert.Equal("hello\n", (await RunAsync("cat", "1.1", "index.html")).Output);
        var gone = await RunAsync("cat", "1.2", "index.html");
        Assert.Equal((ExitCode.Failed, ""), (gone.Code, gone.Output));
        Assert.Contains("has no \"index.html\"", gone.Errors, StringComparison.Ordinal);

        var shown = (await RunAsync("show", "1.2", "--summary", "--json")).Json;
        Assert.Equal(1, shown.GetProperty("changes").GetProperty("moved").GetInt32());
        Assert.Equal(2, shown.GetProperty("counts").GetProperty("file").GetInt32());
        Assert.False(shown.TryGetProperty("entries", out _));
    }

    [Fact]
    public async Task Parts_come_back_and_what_is_there_is_replaced_only_when_asked_and_kept()
    {
        await TwoVersionsAsync();

        Assert.Equal(ExitCode.Ok, (await RunAsync("restore", "1.1", files["page"], "--path", "pages/start")).Code);
        Assert.Equal("a\nb\nc\nd\n", await File.ReadAllTextAsync(files["page"]));
        var plan = (await RunAsync("restore", "1.1", Source, "--in-place", "--dry-run", "--json")).Json;
        Assert.True(plan.GetProperty("replaces").GetBoolean());
        Assert.False(plan.GetProperty("restored").GetBoolean());

        var refused = await RunAsync("restore", "1.1", Source);
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("--in-place", refused.Errors, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(Source, "home.html")));

        var restored = (await RunAsync("restore", "1.1", Source, "--in-place", "--json")).Json;
        Assert.True(File.Exists(Path.Combine(Source, "index.html")));
        Assert.True(File.Exists(Path.Combine(restored.GetProperty("previous").GetString()!, "home.html")));
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("restore", "--undo", Source)).Code);
        Assert.True(File.Exists(Path.Combine(Source, "home.html")));

        Assert.Equal(ExitCode.Ok, (await RunAsync("restore", "1.1", Source, "--in-place")).Code);
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("restore", "--confirm", Source, "--dry-run")).Code);
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("restore", "--confirm", Source)).Code);
        Assert.True(File.Exists(Path.Combine(Source, "index.html")));
        Assert.Equal(ExitCode.Failed, (await MirrorProgram.RunAsync("restore", "--confirm", Source)).Code);
        Assert.Equal(ExitCode.Usage, (await MirrorProgram.RunAsync("restore", "1.1")).Code);
        Assert.Equal(["page", "source", "store"], Directory.EnumerateFileSystemEntries(files.Path).Select(Path.GetFileName).Order());
    }

    [Theory]
    [InlineData("pages/start", "pages/start", true)]
    [InlineData("./pages/", "pages/start", true)]
    [InlineData("page", "pages/start", false)]
    [InlineData("*.html", "deep/x.html", false)]
    [InlineData("**/*.html", "deep/x.html", true)]
    [InlineData(".", "anything", true)]
    public void Paths_and_patterns_mean_what_people_expect(string typed, string path, bool matches) =>
        Assert.Equal(matches, PathPattern.Parse(PathPattern.Bytes(typed)).Matches(EntryPath.Parse(path)));

    [Fact]
    public void Bytes_that_are_no_text_are_typed_as_they_are_shown()
    {
        var path = EntryPath.Parse([.. "caf\u00e9-"u8, 0xff, (byte)'\n', .. "\U0001F600"u8]);
        Assert.Equal(path, EntryPath.Parse(PathPattern.Bytes(path.ToString())));
    }

    [Theory]
    [InlineData("a\nb\n", "a\nc\n", "@@ -1,2 +1,2 @@\n a\n-b\n+c\n")]
    [InlineData("", "a\n", "@@ -0,0 +1,1 @@\n+a\n")]
    [InlineData("a\nb\n", "", "@@ -1,2 +0,0 @@\n-a\n-b\n")]
    public void A_text_diff_is_what_patch_takes(string before, string after, string hunks) =>
        Assert.Equal("--- x\n+++ y\n" + hunks, TextDiff.Of(before, after, "x", "y").ReplaceLineEndings("\n"));

    [Fact]
    public void What_is_no_text_is_not_compared_as_one()
    {
        Assert.False(TextDiff.TryDecode([0xff, 0xfe], out _));
        Assert.False(TextDiff.TryDecode([65, 0, 66], out _));
        Assert.True(TextDiff.TryDecode(Encoding.UTF8.GetBytes("\u00e9"), out var text));
        Assert.Equal("\u00e9", text);
    }

    private Task<Ended> RunAsync(params string[] arguments) => MirrorProgram.RunAsync([.. arguments, "--store", Store]);

    private async Task TwoVersionsAsync()
    {
        Directory.CreateDirectory(Path.Combine(Source, "pages"));
        await File.WriteAllTextAsync(Path.Combine(Source, "index.html"), "hello\n");
        await File.WriteAllTextAsync(Path.Combine(Source, "pages/start"), "a\nb\nc\nd\n");
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("save", Source, "--store", Store)).Code);
        File.Move(Path.Combine(Source, "index.html"), Path.Combine(Source, "home.html"));
        await File.AppendAllTextAsync(Path.Combine(Source, "pages/start"), "more\n");
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("save", Source, "--store", Store)).Code);
    }
}
