using System.Diagnostics;
using CliWrap;
using CliWrap.Buffered;
using Mirror.Testing;

namespace Mirror.Scenarios;

/// <summary>The tools as machine code say and do what the same tools do in the program with a runtime; what is no tool, that program does.</summary>
public sealed class NativeTests
{
    private static readonly string host = MirrorProgram.File + "-host";

    [Theory]
    [InlineData("status"), InlineData("versions"), InlineData("show"), InlineData("diff"), InlineData("find"), InlineData("cat"), InlineData("restore"), InlineData("verify")]
    [InlineData("forget"), InlineData("protect"), InlineData("keyframe"), InlineData("capture"), InlineData("promote"), InlineData("save"), InlineData("delta", "patch"), InlineData("pack", "ls")]
    [InlineData("init"), InlineData("node"), InlineData("demo"), InlineData()]
    public async Task Help_is_the_same(params string[] words)
    {
        var (tool, whole) = await BothAsync([.. words, "--help"]);

        Assert.Equal(whole.StandardOutput, tool.StandardOutput);
        Assert.Contains("Usage:", tool.StandardOutput, StringComparison.Ordinal);
        Assert.Equal(0, tool.ExitCode);
    }

    [Theory]
    [InlineData("nonsense"), InlineData("save"), InlineData("save", "--nonsense"), InlineData("restore", "x", "y", "--store", "/nowhere", "--json")]
    [InlineData("versions", "--config", "/nowhere/mirror.yaml"), InlineData("status", "--config", "/nowhere/mirror.yaml", "--json"), InlineData("node", "--config", "/nowhere/mirror.yaml")]
    public async Task Faults_are_the_same(params string[] arguments)
    {
        var (tool, whole) = await BothAsync(arguments);

        Assert.Equal((whole.ExitCode, whole.StandardOutput, whole.StandardError), (tool.ExitCode, tool.StandardOutput, tool.StandardError));
        Assert.NotEqual(0, tool.ExitCode);
        Assert.NotEmpty(tool.StandardError);
    }

    [Fact]
    public async Task What_one_saved_the_other_reads_and_prints_alike()
    {
        using var scratch = new TemporaryDirectory();
        var source = Directory.CreateDirectory(Path.Combine(scratch.Path, "source")).FullName;
        var store = Path.Combine(scratch.Path, "store");
        await File.WriteAllTextAsync(Path.Combine(source, "page"), "one\n");
        await MirrorProgram.JsonAsync("save", source, "--store", store);
        await File.WriteAllTextAsync(Path.Combine(source, "page"), "two\n");
        Assert.Equal(0, (await RunAsync(host, ["save", source, "--store", store])).ExitCode);

        foreach (var asked in new[] { "versions", "show 1.2", "diff 1.1 1.2 --contents", "find page", "cat 1.1 page", "verify --read-data", "forget --keep-last 1 --dry-run" })
        {
            string[] text = [.. asked.Split(' '), "--store", store];
            foreach (var arguments in asked.StartsWith("cat", StringComparison.Ordinal) ? [text] : new[] { text, [.. text, "--json"] })
            {
                var (tool, whole) = await BothAsync(arguments);
                Assert.Equal((asked, whole.ExitCode, whole.StandardOutput, whole.StandardError), (asked, tool.ExitCode, tool.StandardOutput, tool.StandardError));
                Assert.Equal(asked.StartsWith("diff", StringComparison.Ordinal) ? 5 : 0, tool.ExitCode);
                Assert.NotEmpty(tool.StandardOutput);
            }
        }
    }

    [Fact]
    public async Task What_is_no_tool_goes_on_as_the_program_with_a_runtime_in_the_same_process()
    {
        using var process = Process.Start(new ProcessStartInfo(MirrorProgram.File, ["guard"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
            while (File.ResolveLinkTarget($"/proc/{process.Id}/exe", returnFinalTarget: false)?.FullName != host)
            {
                Assert.False(process.HasExited);
                await Task.Delay(TimeSpan.FromMilliseconds(10), limit.Token);
            }

            // A guard ends when whoever started it is gone: what it read from was handed on too.
            process.StandardInput.Close();
            await process.WaitForExitAsync(limit.Token);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    private static async Task<(BufferedCommandResult Tool, BufferedCommandResult Whole)> BothAsync(string[] arguments) => (await RunAsync(MirrorProgram.File, arguments), await RunAsync(host, arguments));

    private static async Task<BufferedCommandResult> RunAsync(string program, string[] arguments)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        return await CliWrap.Cli.Wrap(program).WithArguments(arguments).WithWorkingDirectory(Path.GetTempPath()).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(limit.Token);
    }
}
