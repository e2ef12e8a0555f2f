using System.Diagnostics;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture.Logs;
using Mirror.Store.Logs;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Testing;

namespace Mirror.Primary.Tests.Capture.Logs;

/// <summary>The process ends here, as far as the test goes: nothing more is done by it.</summary>
internal sealed class KilledException(string step) : Exception($"killed before: {step}");

/// <summary>A tree with logs, and what a primary keeps of them; real files, and writers that are processes of their own.</summary>
internal sealed class LogRig : IDisposable
{
    private readonly TemporaryDirectory? own;
    private readonly string place;
    private readonly LogsConfig config;
    private int steps;

    public LogRig(long emptyFrom = 4096, string? place = null, params string[] patterns)
    {
        own = place is null ? new TemporaryDirectory() : null;
        this.place = place ?? own!.Path;
        config = new LogsConfig(patterns.Length > 0 ? patterns : ["logs/*.log", "logs/*.log.*"], TimeSpan.FromDays(30), true, emptyFrom, TimeSpan.Zero);
        Directory.CreateDirectory(Path.Combine(Root, "logs"));
        Logs = Open();
    }

    public string Root => Path.Combine(place, "root");

    public string Log => Path.Combine(Root, "logs", "app.log");

    public SiteLogs Logs { get; private set; }

    /// <summary>The step before which the process is killed; counted from 1, over restarts too.</summary>
    public int KillAt { get; set; } = int.MaxValue;

    public int Steps => steps;

    /// <summary>Told of each step before it is done.</summary>
    public Action<string> Before { get; init; } = static _ => { };

    /// <summary>As a process that begins anew.</summary>
    public void Restart()
    {
        Logs.Dispose();
        Logs = Open();
    }

    public void Collect(ulong epoch = 1)
    {
        var seen = new List<EntryPath>();
        TreeScanner.Scan(Root, (path, type) =>
        {
            if (type == EntryType.File && Logs.Matches(path))
            {
                seen.Add(path);
            }

            return false;
        }, CancellationToken.None);
        Logs.Collect(Root, seen, epoch);
    }

    public IReadOnlyList<EmptiedLog> Empty() => Logs.Empty(Root, Logs.Mark);

    /// <summary>All that was captured of a log, in order.</summary>
    public string Captured(string log = "logs/app.log") => Captured(Logs.Segments, log);

    public static string Captured(string segments, string log)
    {
        var found = new List<(LogSegment Segment, string Path)>();
        foreach (var file in Directory.EnumerateFiles(segments, "*", SearchOption.AllDirectories))
        {
            var path = EntryPath.Parse($"{LogSegment.Directory}/{Path.GetRelativePath(segments, file)}");
            if (LogSegment.TryParse(path, out var segment) && segment.Log.ToString() == log)
            {
                found.Add((segment, file));
            }
        }

        var all = new StringBuilder();
        LogStreamId? stream = null;
        long end = 0;
        foreach (var (segment, path) in found.OrderBy(one => one.Segment.Stream).ThenBy(one => one.Segment.Offset))
        {
            Assert.True(segment.Offset == (segment.Stream == stream ? end : 0), $"stream {segment.Stream} has nothing before {segment.Offset}");
            var content = File.ReadAllText(path);
            all.Append(content);
            (stream, end) = (segment.Stream, segment.Offset + content.Length);
        }

        return all.ToString();
    }

    /// <summary>Lines <c>N some text</c>, N from 1 on: none is missing, none there twice, none torn.</summary>
    /// <returns>How many there are.</returns>
    public static int AssertCounts(string log)
    {
        Assert.True(log.Length == 0 || log[^1] == '\n', "the last line is torn");
        var expected = 1;
        foreach (var line in log.AsSpan().EnumerateLines())
        {
            if (line.IsEmpty)
            {
                continue;
            }

            var space = line.IndexOf(' ');
            Assert.True(space > 0 && int.TryParse(line[..space], out var number) && number == expected && line.EndsWith(LogWriter.Text), $"line {expected} is \"{line}\"");
            expected++;
        }

        return expected - 1;
    }

    public void Dispose()
    {
        Logs.Dispose();
        own?.Dispose();
    }

    private SiteLogs Open() => new(Path.Combine(place, "kept"), config, TimeProvider.System, NullLogger.Instance, step =>
    {
        if (++steps >= KillAt)
        {
            KillAt = int.MaxValue;
            throw new KilledException(step);
        }

        Before(step);
    });
}

/// <summary>A process that writes numbered lines to a log as fast as it can.</summary>
internal sealed class LogWriter : IDisposable
{
    public const string Text = "GET /pages/start 200 the quick brown fox jumps over the lazy dog, again and again";

    private readonly Process process;

    /// <param name="script">A loop in bash; <c>$1</c> is the log and <c>$2</c> the text.</param>
    private LogWriter(string script, string log)
    {
        var start = new ProcessStartInfo("bash");
        foreach (var argument in (string[])["-c", script, "bash", log, Text])
        {
            start.ArgumentList.Add(argument);
        }

        process = Process.Start(start) ?? throw new InvalidOperationException("bash could not be started.");
    }

    public int Id => process.Id;

    /// <summary>Has it open in append mode.</summary>
    public static LogWriter Appending(string log) => new("exec 3>>\"$1\"; for ((i=1;;i++)); do echo \"$i $2\" >&3; done", log);

    /// <summary>Has it open, and writes on where it was.</summary>
    public static LogWriter KeepingItsPlace(string log) => new("exec 3>\"$1\"; for ((i=1;;i++)); do echo \"$i $2\" >&3; done", log);

    /// <summary>In append mode, and a hundred lines at a time: so few that a site does not outgrow a long test.</summary>
    public static LogWriter Steady(string log) => new("exec 3>>\"$1\"; for ((i=1;;i++)); do echo \"$i $2\" >&3; ((i % 100)) || sleep 0.05; done", log);

    /// <summary>Opens it for each line, so that it writes to whatever bears the name.</summary>
    public static LogWriter Reopening(string log) => new("for ((i=1;;i++)); do echo \"$i $2\" >> \"$1\"; done", log);

    /// <summary>Stands still when this returns, between two lines.</summary>
    public void Pause()
    {
        Shell.Run("kill -STOP \"$1\"; while ! grep -q '^State:.T' \"/proc/$1/status\"; do :; done", $"{Id}");
    }

    public void GoOn() => Shell.Run("kill -CONT \"$1\"", $"{Id}");

    public void Stop()
    {
        Pause();
        process.Kill();
        process.WaitForExit();
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            process.Kill();
            process.WaitForExit();
        }

        process.Dispose();
    }
}
