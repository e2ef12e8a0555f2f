using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Mirror.Node.Configuration;

namespace Mirror.Node.Processes;

/// <summary>A program that did not do what it was run for: which one, how it ended, and what it said.</summary>
public sealed class ToolException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Somebody else's program, run to its end: a dump, a load, a hook. It gets a limited time; when that is over, or whoever waits for it gives up, or what reads its output
/// fails, it is killed with all it started. What it prints on standard error is kept for the message, as much of it as a person reads.
/// </summary>
public sealed record Tool(string Program, IReadOnlyList<string> Arguments)
{
    private const int LongestError = 4096;
    private const int LongestOutput = 8 << 20;

    // What a program leaves running may hold its output open for ever.
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(1);

    /// <summary>Added to the environment of this process.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    public string WorkingDirectory { get; init; } = "/";

    public Niceness Niceness { get; init; } = Niceness.None;

    public TimeSpan Within { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>Writes its standard input; null: there is none.</summary>
    public Func<Stream, CancellationToken, Task>? Input { get; init; }

    /// <summary>Reads its standard output to the end; null: it is what <see cref="RunAsync"/> returns.</summary>
    public Func<Stream, CancellationToken, Task>? Output { get; init; }

    private string Name => Path.GetFileName(Program);

    /// <returns>What it printed, unless <see cref="Output"/> reads that.</returns>
    /// <exception cref="ToolException">It could not be started, was still running after its time, or ended with another exit code than 0.</exception>
    public async Task<string> RunAsync(TimeProvider time, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(Within, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        cancellation.ThrowIfCancellationRequested();
        using var process = Start();
        var errors = new StringBuilder();
        var printed = new StringBuilder();
        try
        {
            var handled = Task.WhenAll(FeedAsync(process, either.Token), Output is null ? Task.CompletedTask : Output(process.StandardOutput.BaseStream, either.Token));
            var heard = Task.WhenAll(
                ReadAsync(process.StandardError, errors, LongestError, either.Token),
                Output is null ? ReadAsync(process.StandardOutput, printed, LongestOutput, either.Token) : Task.CompletedTask);
            var exited = process.WaitForExitAsync(either.Token);

            // One that waits for a reader that failed would never end.
            if (await Task.WhenAny(handled, exited) == handled)
            {
                await handled;
            }

            await exited;
            await handled.WaitAsync(either.Token);
            await Task.WhenAny(heard, Task.Delay(patience, time, either.Token));
        }
        catch (Exception failure)
        {
            await KillAsync(process);
            if (failure is OperationCanceledException && limit.IsCancellationRequested && !cancellation.IsCancellationRequested)
            {
                throw new ToolException($"{Name} was still running after {Durations.Format(Within)}, and was killed{Said(errors)}.", failure);
            }

            throw;
        }

        if (process.ExitCode == 0)
        {
            return Text(printed) is { Length: < LongestOutput } all ? all : throw new ToolException($"{Name} printed more than {LongestOutput} characters, which nobody expects of it.");
        }

        throw new ToolException($"{Name} ended with exit code {process.ExitCode}{(process.ExitCode > 128 ? string.Create(CultureInfo.InvariantCulture, $" (signal {process.ExitCode - 128})") : "")}{Said(errors)}.");
    }

    private static string Text(StringBuilder text)
    {
        lock (text)
        {
            return text.ToString();
        }
    }

    private static string Said(StringBuilder errors) => Text(errors).Trim().TrimEnd('.') is { Length: > 0 } said ? $": {said}" : "; it said nothing";

    private Process Start()
    {
        var (file, arguments) = Niceness.Wrap(Program, Arguments);
        var start = new ProcessStartInfo(file)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = WorkingDirectory,
            StandardOutputEncoding = Encoding.UTF8, StandardErrorEncoding = Encoding.UTF8,
        };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (name, value) in Environment)
        {
            start.Environment[name] = value;
        }

        try
        {
            return Process.Start(start) ?? throw new ToolException($"{Program} could not be started.");
        }
        catch (Win32Exception failure)
        {
            throw new ToolException($"{Program} could not be started: {failure.Message}. Check that it is installed and may be run by this user.", failure);
        }
    }

    private async Task FeedAsync(Process process, CancellationToken cancellation)
    {
        await using var input = new ToolInput(process.StandardInput.BaseStream);
        try
        {
            if (Input is not null)
            {
                await Input(input, cancellation);
            }
        }
        catch (IOException) when (input.IsBroken)
        {
            // It ended, or reads no more: its exit code tells whether it had enough.
        }
    }

    private static async Task ReadAsync(StreamReader from, StringBuilder into, int most, CancellationToken cancellation)
    {
        var buffer = new char[4096];
        int read;
        while ((read = await from.ReadAsync(buffer, cancellation)) > 0)
        {
            lock (into)
            {
                into.Append(buffer, 0, Math.Min(read, most - into.Length));
            }
        }
    }

    private static async Task KillAsync(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception gone) when (gone is InvalidOperationException or Win32Exception or AggregateException)
        {
            // It ended by itself meanwhile, or a part of it did.
        }

        await process.WaitForExitAsync(CancellationToken.None);
    }
}
