using System.Diagnostics;

namespace Mirror.Cli.Demo;

/// <summary>
/// One member of a local cluster as a process of its own: its output goes to a log file, and its standard input is a pipe whose end tells it to stop, so that no
/// member outlives whoever started it, however that dies.
/// </summary>
internal sealed class LocalProcess : IAsyncDisposable
{
    private readonly Process process;

    private LocalProcess(Process process) => this.process = process;

    public int Id => process.Id;

    public bool HasExited => process.HasExited;

    /// <param name="environment">Besides what is inherited.</param>
    public static LocalProcess Start(IReadOnlyList<string> command, string log, IReadOnlyDictionary<string, string>? environment = null)
    {
        // The shell only redirects; it is replaced by the program, with its arguments as they are.
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = true, UseShellExecute = false };
        foreach (var argument in (string[])["-c", "exec \"$@\" >>\"$MIRROR_LOCAL_LOG\" 2>&1", "sh", .. command])
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var inherited in start.Environment.Keys.Where(key => key.StartsWith("MIRROR_", StringComparison.Ordinal)).ToArray())
        {
            start.Environment.Remove(inherited);
        }

        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        start.Environment["MIRROR_LOCAL_LOG"] = log;
        return new LocalProcess(Process.Start(start)!);
    }

    /// <summary>kill -9 of this process and the others given, all at once: a machine that melts.</summary>
    public async Task MeltAsync(IEnumerable<int> others, CancellationToken cancellation)
    {
        foreach (var id in others.Prepend(Id).Distinct())
        {
            try
            {
                using var victim = Process.GetProcessById(id);
                victim.Kill();
            }
            catch (ArgumentException)
            {
                // Gone already.
            }
            catch (InvalidOperationException)
            {
                // Gone this moment.
            }
        }

        await process.WaitForExitAsync(cancellation);
    }

    /// <summary>Stops it in order, and by force when it takes too long.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
        {
            process.StandardInput.Close();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20), TimeProvider.System);
            try
            {
                await process.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                await process.WaitForExitAsync(CancellationToken.None);
            }
        }

        process.Dispose();
    }
}
