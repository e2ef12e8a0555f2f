using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Mirror.Node.Processes;

/// <summary>
/// Body of the <c>mirror guard</c> command: the parent of all apps of a node. It does what the node asks over standard input, and stops everything when the node is silent.
/// <para>
/// One thread decides and spawns: the calling one, which lives as long as the process, because the kernel ties a child's parent-death signal to the thread that spawned it.
/// Two more only carry lines, so that neither a node that does not read nor one that does not write can hold the deciding thread up.
/// </para>
/// </summary>
public static class GuardProcess
{
    private const int LongestReportQueue = 10_000;

    /// <returns>0 after a request to end, 1 when the node fell silent or its pipe ended, 2 when it did not talk like a node.</returns>
    public static int Run(Stream input, Stream output, TimeProvider time)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException("Mirror's guard needs process groups and sessions, as Linux has them.");
        }

        PosixProcess.LeaveTerminal();

        // It outlives what stops the node, to stop the apps in good order. Handlers and not "ignore", which the apps would inherit.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => context.Cancel = true);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => context.Cancel = true);

        using var events = new BlockingCollection<GuardEvent>();
        using var reports = new BlockingCollection<GuardReport>(LongestReportQueue);
        using var children = PosixSignalRegistration.Create(PosixSignal.SIGCHLD, _ => TryAdd(events, new GuardEvent.ChildChanged()));
        Start("guard input", () => Read(input, events));
        var writer = Start("guard output", () => Write(reports, output));

        using var apps = new GuardedApps(time, reports);
        var exitCode = apps.Run(events);
        reports.CompleteAdding();
        _ = writer.Join(TimeSpan.FromSeconds(1)); // Best effort: the node may not be reading any more.
        return exitCode;
    }

    private static Thread Start(string name, Action body)
    {
        var thread = new Thread(() => body()) { Name = name, IsBackground = true };
        thread.Start();
        return thread;
    }

    private static void Read(Stream input, BlockingCollection<GuardEvent> events)
    {
        try
        {
            var lines = new BoundedLines(input);
            while (lines.Next() is { } line)
            {
                if (!TryAdd(events, new GuardEvent.Asked(GuardJson.Request(line.Span))))
                {
                    return;
                }
            }

            TryAdd(events, new GuardEvent.InputEnded(Malformed: false));
        }
        catch (Exception failure) when (failure is JsonException or InvalidDataException)
        {
            TryAdd(events, new GuardEvent.InputEnded(Malformed: true));
        }
        catch (IOException)
        {
            TryAdd(events, new GuardEvent.InputEnded(Malformed: false));
        }
    }

    private static void Write(BlockingCollection<GuardReport> reports, Stream output)
    {
        try
        {
            foreach (var report in reports.GetConsumingEnumerable())
            {
                output.Write(GuardJson.Line(report));
                output.Flush();
            }
        }
        catch (IOException)
        {
            // Nobody reads any more; the end of the input tells the rest.
        }
    }

    private static bool TryAdd(BlockingCollection<GuardEvent> events, GuardEvent item)
    {
        try
        {
            return events.TryAdd(item);
        }
        catch (ObjectDisposedException)
        {
            return false; // The guard is ending.
        }
    }
}

internal abstract record GuardEvent
{
    public sealed record Asked(GuardRequest Request) : GuardEvent;

    public sealed record InputEnded(bool Malformed) : GuardEvent;

    public sealed record ChildChanged : GuardEvent;
}
