using System.Diagnostics;
using System.Globalization;
using Mirror.Testing;

namespace Mirror.Primary.Tests.Capture.Logs;

/// <summary>
/// A process of its own that captures and empties a log, which another one writes to all the time, and is killed by SIGKILL: before each step of it, and at any moment. The next one goes on with what it finds,
/// and when all is done no line is lost and none is there twice.
/// </summary>
public sealed class LogKillTests : IDisposable
{
    private const int killed = 128 + 9;
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);
    private static readonly bool isLong = Environment.GetEnvironmentVariable("MIRROR_LONG") == "1";
    private static readonly int times = isLong ? 20 : 3;
    private static readonly int atAnyMoment = isLong ? 500 : 10;

    private readonly TemporaryDirectory files = new();

    public LogKillTests() => Directory.CreateDirectory(Path.GetDirectoryName(Log)!);

    private string Log => files["root/logs/app.log"];

    public void Dispose() => files.Dispose();

    [Fact]
    public async Task Killed_before_each_step_no_line_is_lost_and_none_is_there_twice()
    {
        string[] steps = ["append to segment", "sync segment", "note streams", "write index", "note removal", "remove from the front", "note what was removed"];
        using var writer = LogWriter.Steady(Log);
        for (var time = 1; time <= times; time++)
        {
            foreach (var step in steps)
            {
                using var process = Start(step, time);
                await process.WaitForExitAsync().WaitAsync(patience);
                Assert.Equal(killed, process.ExitCode);
            }

            Rotate(writer);
        }

        AssertNothingIsLost(writer);
    }

    [Fact]
    public async Task Killed_at_any_moment_no_line_is_lost_and_none_is_there_twice()
    {
        using var writer = LogWriter.Steady(Log);
        var random = new Random(1);
        for (var kill = 1; kill <= atAnyMoment; kill++)
        {
            File.Delete(files[LogKilled.Begun]);
            using var process = Start("", 0);
            var began = TimeProvider.System.GetTimestamp();
            while (!File.Exists(files[LogKilled.Begun]))
            {
                Assert.True(TimeProvider.System.GetElapsedTime(began) < patience && !process.HasExited, "the process did not begin");
                await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(60)), TimeProvider.System);
            process.Kill();
            await process.WaitForExitAsync().WaitAsync(patience);
            Assert.Equal(killed, process.ExitCode);
            if (kill % 10 == 0)
            {
                Rotate(writer);
            }
        }

        AssertNothingIsLost(writer);
    }

    // The copy before is captured to its end, or it could be lost to this one, which takes its place. What is between the copy and the truncation, no rotation of this kind keeps: so nothing is written then.
    private void Rotate(LogWriter writer)
    {
        using (var rig = new LogRig(place: files.Path))
        {
            rig.Collect();
        }

        writer.Pause();
        Shell.Run("cp \"$1\" \"$1.1\"; truncate -s 0 \"$1\"", Log);
        writer.GoOn();
    }

    private void AssertNothingIsLost(LogWriter writer)
    {
        writer.Stop();
        using var rig = new LogRig(place: files.Path);
        rig.Collect();
        var lines = LogRig.AssertCounts(rig.Captured());

        // The last one is in the log, or, when that was truncated just now, in the copy.
        var last = File.ReadLines(new FileInfo(Log).Length > 0 ? Log : Log + ".1").Last();
        Assert.StartsWith($"{lines} ", last, StringComparison.Ordinal);
    }

    private Process Start(string step, int time)
    {
        string[] words = ["exec", typeof(LogKilled).Assembly.Location, files.Path, step, time.ToString(CultureInfo.InvariantCulture)];
        return Process.Start(new ProcessStartInfo("dotnet", words)) ?? throw new InvalidOperationException("dotnet could not be started.");
    }
}

/// <summary>The process that is killed.</summary>
internal static class LogKilled
{
    /// <summary>Is there once it has captured for the first time.</summary>
    public const string Begun = "begun";

    /// <param name="arguments">Where the tree is, and the step before which it kills itself, at which time that it comes to it.</param>
    public static int Main(string[] arguments)
    {
        var (place, last, time) = (arguments[0], arguments[1], int.Parse(arguments[2], CultureInfo.InvariantCulture));
        using var rig = new LogRig(place: place)
        {
            Before = step =>
            {
                if (step == last && --time == 0)
                {
                    RawCalls.Kill(Environment.ProcessId);
                }
            },
        };
        while (true)
        {
            rig.Collect();
            rig.Empty();
            File.WriteAllBytes(Path.Combine(place, Begun), []);
        }
    }
}
