using System.Diagnostics;
using System.Text.Json;
using Mirror.Testing;

namespace Mirror.Scenarios;

/// <summary>The main job, by the demo itself: real processes, real kill -9, real load.</summary>
[Collection("one cluster at a time")]
public sealed class DemoTests : IDisposable
{
    // A control socket's path must fit into 107 bytes.
    private readonly TemporaryDirectory scratch = new();

    public void Dispose() => scratch.Dispose();

    [Fact]
    public async Task The_demo_plays_the_disaster_and_loses_nothing_consistent()
    {
        var report = await MirrorProgram.JsonInAsync(scratch.Path, "demo", "--auto", "--site", "/usr/share/common-licenses");

        Assert.True(report.GetProperty("ok").GetBoolean(), report.ToString());
        Assert.Equal(0, report.GetProperty("failed_requests").GetInt64());
        Assert.Equal(0, report.GetProperty("lost_consistent_writes").GetInt32());
        Assert.True(report.GetProperty("acknowledged_writes").GetInt32() > 50);
        Assert.True(report.GetProperty("restore_ok").GetBoolean());
        Assert.True(report.GetProperty("epoch").GetUInt64() >= 3);
        Assert.True(report.GetProperty("failover_ms").GetDouble() > 0);
        Assert.True(report.GetProperty("switchover_ms").GetDouble() > 0);
        Assert.Equal(3, report.GetProperty("site").GetProperty("copies").GetInt32());

        // The runtime of a process that was killed leaves its sockets there; the demo leaves nothing.
        Assert.Empty(Directory.GetDirectories(scratch.Path));
    }

    [Fact]
    public async Task A_demo_that_fails_leaves_everything_behind_and_says_where_with_the_members_last_errors()
    {
        var playing = MirrorProgram.RunInAsync(scratch.Path, "demo", "--auto", "--json");
        (await ProcessOfAsync("front", playing)).Kill();

        var ended = await playing;

        Assert.Equal(1, ended.ExitCode);
        var error = JsonDocument.Parse(ended.StandardOutput).RootElement.GetProperty("error").GetString()!;
        var left = Assert.Single(Directory.GetDirectories(scratch.Path));
        Assert.Contains("front ended by itself", error, StringComparison.Ordinal);
        Assert.Contains($"Everything is left in {left}", error, StringComparison.Ordinal);
        Assert.All((string[])["alpha", "beta", "gamma", "front"], member => Assert.True(File.Exists(Path.Combine(left, member, "mirror.log"))));
        Assert.Empty(ProcessesOf(left));
    }

    private async Task<Process> ProcessOfAsync(string member, Task playing)
    {
        while (true)
        {
            Assert.False(playing.IsCompleted, "the demo ended before anything was done to it");
            if (ProcessesOf(scratch.Path).FirstOrDefault(found => found.Command.Contains($"--node {member}", StringComparison.Ordinal)) is { Id: > 0 } process)
            {
                return Process.GetProcessById(process.Id);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100));
        }
    }

    private static List<(int Id, string Command)> ProcessesOf(string directory) =>
    [
        .. Process.GetProcesses().Select(process => (process.Id, Command: CommandOf(process.Id)))
            .Where(process => process.Command.Contains(directory, StringComparison.Ordinal) && process.Command.Contains("--node", StringComparison.Ordinal)),
    ];

    private static string CommandOf(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/cmdline").Replace('\0', ' ');
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}

[CollectionDefinition("one cluster at a time", DisableParallelization = true)]
public sealed class OneClusterAtATime;
