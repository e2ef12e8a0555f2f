using System.Diagnostics;
using System.Text;

namespace Mirror.Testing;

/// <summary>The system's own tools as an independent opinion.</summary>
public static class Shell
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);

    /// <summary>Runs a bash script, which sees the arguments as $1, $2, …; its output. A script that fails fails the test.</summary>
    public static string Run(string script, params string[] arguments) => Encoding.UTF8.GetString(RunRaw(script, arguments));

    /// <summary>The same, for output that need not be text.</summary>
    public static byte[] RunRaw(string script, params string[] arguments)
    {
        var start = new ProcessStartInfo("bash") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])["-euo", "pipefail", "-c", script, "bash", .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["LC_ALL"] = "C";
        using var process = Process.Start(start) ?? throw new InvalidOperationException("bash could not be started.");
        var errors = process.StandardError.ReadToEndAsync();
        using var output = new MemoryStream();
        var reading = process.StandardOutput.BaseStream.CopyToAsync(output);
        if (!process.WaitForExit(patience))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"After {patience.TotalMinutes} minutes the script was still running: {script}");
        }

        process.WaitForExit();
        reading.GetAwaiter().GetResult();
        return process.ExitCode == 0
            ? output.ToArray()
            : throw new InvalidOperationException($"The script ended with {process.ExitCode}: {errors.GetAwaiter().GetResult()}\n{script}");
    }
}
