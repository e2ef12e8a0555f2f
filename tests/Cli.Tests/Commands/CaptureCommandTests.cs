using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Tests.Commands;

public sealed class CaptureCommandTests
{
    [Theory]
    [InlineData("\"stored\" is nothing to wait for", "--wait", "stored")]
    [InlineData("\"stored:0\" is nothing to wait for", "--wait", "stored:0")]
    [InlineData("give one", "--wait", "stored:1", "--copies", "2")]
    [InlineData("--timeout is a number of seconds", "--timeout", "soon")]
    [InlineData("--timeout is a number of seconds", "--timeout", "-1")]
    public async Task What_cannot_be_waited_for_is_said_before_anything_is_captured(string said, params string[] line)
    {
        var ended = await MirrorProgram.RunAsync(["capture", .. line]);

        Assert.Equal(ExitCode.Usage, ended.Code);
        Assert.Contains(said, ended.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void How_capturing_goes_is_told_in_few_lines()
    {
        var noon = new DateTimeOffset(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);
        var state = new CaptureState
        {
            LastUnixMs = noon.ToUnixTimeMilliseconds(), LastMs = 12.4, LastMade = new VersionPosition { Epoch = 2, Sequence = 7 }, OnChange = true,
            NextUnixMs = noon.AddHours(15).ToUnixTimeMilliseconds(), NextWhy = "cron 0 3 * * * (UTC)",
        };
        Assert.Equal(
            ["captures: last 2.7 at 2026-11-23 12:00:00 UTC, in 12 ms; next on change, and 2026-11-24 03:00:00 UTC (cron 0 3 * * * (UTC))"], CaptureText.Lines(state));

        var troubled = new CaptureState
        {
            LastUnixMs = noon.ToUnixTimeMilliseconds(), LastFailure = "no", Running = true, QuietUntilUnixMs = noon.ToUnixTimeMilliseconds(), Degraded = "too many directories",
            Missed = 3, MissedLast = "3 until then: the node was down", AtRisk = new AtRiskState { Seconds = 1.34, Versions = 2, Bytes = 3 << 10 },
        };
        Assert.Equal(
            [
                "captures: last failed at 2026-11-23 12:00:00 UTC; next only when asked for; one is running",
                "  would be lost with the primary: the last 1.3 s; 2 versions of 3 KiB that others do not have yet",
                "  the last failed: no",
                "  none starts by itself until 2026-11-23 12:00:00 UTC",
                "  the watcher does not see everything: too many directories",
                "  3 scheduled captures missed since it is primary; the last 3 until then: the node was down",
            ],
            CaptureText.Lines(troubled));
        Assert.Equal("captures: last none yet; next only when asked for", Assert.Single(CaptureText.Lines(new CaptureState())));
        Assert.Null(CaptureText.ToJson(null));
        Assert.Contains("\"missed\":3", CaptureText.ToJson(troubled)!.ToString(), StringComparison.Ordinal);
    }
}
