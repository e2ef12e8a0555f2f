using System.Text.Json;
using CliWrap;
using CliWrap.Buffered;
using Mirror.Testing;

namespace Mirror.Scenarios;

/// <summary>The program as users run it: published, in a process of its own.</summary>
internal static class MirrorProgram
{
    public static string File { get; } = Checkout.Path(".build", "mirror", "mirror");

    public static async Task<BufferedCommandResult> RunAsync(params string[] arguments)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(8));
        return await CliWrap.Cli.Wrap(File).WithArguments(arguments).WithWorkingDirectory(Path.GetTempPath())
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(limit.Token);
    }

    /// <summary>Runs with --json, expects success and gives the one object it printed.</summary>
    public static async Task<JsonElement> JsonAsync(params string[] arguments)
    {
        var result = await RunAsync([.. arguments, "--json"]);
        Assert.True(result.ExitCode == 0, $"mirror {string.Join(' ', arguments)} ended with {result.ExitCode}:\n{result.StandardOutput}\n{result.StandardError}");
        return JsonDocument.Parse(result.StandardOutput).RootElement;
    }
}
