using CliWrap;
using CliWrap.Buffered;
using Mirror.Testing;

namespace Mirror.Scenarios;

/// <summary>The embedded form, as a person with a cron job uses it: save, change, save, and both versions back. rsync is the judge.</summary>
public sealed class EmbeddedTests
{
    [Fact]
    public async Task A_real_directory_is_saved_twice_and_both_versions_come_back_identical()
    {
        using var scratch = new TemporaryDirectory();
        var source = Path.Combine(scratch.Path, "source");
        var before = Path.Combine(scratch.Path, "before");
        var store = Path.Combine(scratch.Path, "store");
        await ShellAsync($"cp -a /usr/share/doc/b* /usr/share/common-licenses {Made(source)}");
        await ShellAsync($"cd {source} && mkdir sub && echo one > sub/one && ln sub/one sub/two && ln -s one sub/link && mkfifo sub/pipe && chmod 4755 sub/one "
            + "&& truncate -s 1M sub/sparse && printf x >> sub/sparse && setfattr -n user.note -v hello sub/sparse && touch -d '2001-02-03 04:05:06.123456789' sub/one "
            + "&& printf 'odd' > \"$(printf 'sub/new\\nline')\" && printf 'bytes' > \"$(printf 'sub/\\377\\376')\"");
        await ShellAsync($"cp -a {source} {before}");

        var first = await MirrorProgram.JsonAsync("save", source, "--store", store);
        await ShellAsync($"cd {source} && mv sub moved && rm -r common-licenses && echo more >> moved/one && mkdir moved/pipe2 && rm moved/pipe && echo now > moved/pipe && ln -sfn elsewhere moved/link");
        var second = await MirrorProgram.JsonAsync("save", source, "--store", store);
        var unchanged = await MirrorProgram.JsonAsync("save", source, "--store", store);

        Assert.True(second.GetProperty("changed").GetBoolean());
        Assert.False(unchanged.GetProperty("changed").GetBoolean());
        foreach (var (saved, original) in new[] { (first, before), (second, source) })
        {
            var version = saved.GetProperty("version").GetProperty("id").GetString()!;
            var restored = Path.Combine(scratch.Path, $"restored-{version}");
            await MirrorProgram.JsonAsync("restore", version, restored, "--store", store);
            Assert.Equal("", await ShellAsync($"rsync -aHAXn --delete --checksum -i {original}/ {restored}/"));
        }

        Assert.True((await MirrorProgram.JsonAsync("verify", "--read-data", "--store", store)).GetProperty("ok").GetBoolean());
    }

    [Fact]
    public async Task Bad_input_gets_a_clear_word_and_leaves_nothing_behind()
    {
        using var scratch = new TemporaryDirectory();
        var source = Made(Path.Combine(scratch.Path, "source"));
        var store = Path.Combine(scratch.Path, "store");
        await File.WriteAllTextAsync(Path.Combine(source, "page"), "text");
        await MirrorProgram.JsonAsync("save", source, "--store", store);

        await FailsAsync("no version 9.9", ["restore", "9.9", Path.Combine(scratch.Path, "out"), "--store", store]);
        await FailsAsync("empty", ["restore", "1.1", source, "--store", store]);
        await FailsAsync("is no version", ["show", "nonsense", "--store", store]);
        await FailsAsync("no store", ["versions", "--store", Path.Combine(scratch.Path, "elsewhere")]);
        await FailsAsync("does not exist", ["save", Path.Combine(scratch.Path, "gone"), "--store", store]);
        await FailsAsync("inside the source", ["save", source, "--store", Path.Combine(source, "store")]);
        Assert.False(Directory.Exists(Path.Combine(scratch.Path, "out")));
        Assert.Equal(["page"], Directory.GetFileSystemEntries(source).Select(Path.GetFileName));

        await File.WriteAllTextAsync(Path.Combine(store, "format"), "mirror-store 99\n");
        await FailsAsync("newer", ["versions", "--store", store]);
    }

    private static async Task FailsAsync(string says, string[] arguments)
    {
        var result = await MirrorProgram.RunAsync(arguments);
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains(says, result.StandardError, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("   at Mirror.", result.StandardError, StringComparison.Ordinal);
    }

    private static string Made(string directory) => Directory.CreateDirectory(directory).FullName;

    private static async Task<string> ShellAsync(string script)
    {
        var result = await CliWrap.Cli.Wrap("/bin/sh").WithArguments(["-c", script]).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
        Assert.True(result.ExitCode == 0, $"{script}\n{result.StandardError}");
        return result.StandardOutput;
    }
}
