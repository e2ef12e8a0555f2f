using System.Diagnostics;
using System.Text.Json;
using Mirror.Testing;

namespace Mirror.Cli.Tests;

internal sealed record Ended(int Code, string Output, string Errors)
{
    public JsonElement Json => JsonDocument.Parse(Output).RootElement;
}

/// <summary>The built program in a process of its own, away from whatever configuration this machine may have.</summary>
internal static class MirrorProgram
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);

    public static async Task<Ended> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "mirror"), arguments)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Path.GetTempPath(),
        };
        start.Environment.Remove("MIRROR_CONFIG");
        start.Environment.Remove("MIRROR_NODE");
        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(patience);
        try
        {
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var errors = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return new Ended(process.ExitCode, await output, await errors);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }
}

/// <summary>What `mirror init` makes of three members, in a directory that goes.</summary>
internal sealed class InitialCluster : IDisposable
{
    public const string ThreeMembers = "--member alpha=127.0.0.1 --member beta=127.0.0.2 --member gamma=127.0.0.3";

    public TemporaryDirectory Files { get; } = new();

    public string Directory => Files["mirror"];

    public string Config => Path.Combine(Directory, "mirror.yaml");

    public string Pki => Path.Combine(Directory, "pki");

    public Task<Ended> InitAsync(params string[] more) => MirrorProgram.RunAsync(["init", Directory, .. ThreeMembers.Split(' '), .. more]);

    /// <summary>Initialises, and moves what the members keep into this directory and their ports out of the way.</summary>
    public async Task InitHereAsync(int grpcPort, int clusterPort)
    {
        Assert.Equal(0, (await InitAsync("--root", Files["root"])).Code);
        var text = File.ReadAllText(Config)
            .Replace("/var/lib/mirror", Files["state"] + "/{node}", StringComparison.Ordinal)
            .Replace("7400", $"{grpcPort}", StringComparison.Ordinal)
            .Replace("7401", $"{clusterPort}", StringComparison.Ordinal);
        File.WriteAllText(Config, text);
    }

    public void Dispose() => Files.Dispose();
}
