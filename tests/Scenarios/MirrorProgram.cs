using System.Text.Json;
using CliWrap;
using CliWrap.Buffered;
using Mirror.Testing;

namespace Mirror.Scenarios;

/// <summary>The program as users run it: published, in a process of its own.</summary>
internal static class MirrorProgram
{
    public static string File { get; } = Checkout.Path(".build", "mirror", "mirror");

    public static Task<BufferedCommandResult> RunAsync(params string[] arguments) => RunInAsync(Path.GetTempPath(), arguments);

    /// <param name="scratch">Where it makes its temporary directories.</param>
    public static async Task<BufferedCommandResult> RunInAsync(string scratch, params string[] arguments)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(8));
        return await CliWrap.Cli.Wrap(File).WithArguments(arguments).WithWorkingDirectory(Path.GetTempPath())
            .WithEnvironmentVariables(environment => environment.Set("TMPDIR", scratch))
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(limit.Token);
    }

    /// <summary>Runs with --json, expects success and gives the one object it printed.</summary>
    public static Task<JsonElement> JsonAsync(params string[] arguments) => JsonInAsync(Path.GetTempPath(), arguments);

    public static async Task<JsonElement> JsonInAsync(string scratch, params string[] arguments)
    {
        var result = await RunInAsync(scratch, [.. arguments, "--json"]);
        Assert.True(result.ExitCode == 0, $"mirror {string.Join(' ', arguments)} ended with {result.ExitCode}:\n{result.StandardOutput}\n{result.StandardError}");
        return JsonDocument.Parse(result.StandardOutput).RootElement;
    }
}
