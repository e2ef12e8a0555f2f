using System.Globalization;
using System.Text.RegularExpressions;
using CliWrap;
using CliWrap.Buffered;

namespace Mirror.Bench.Proxying;

/// <summary>One run of wrk: what it counted.</summary>
/// <param name="Errors">Answers other than 2xx and 3xx, and sockets that failed.</param>
internal sealed partial record Wrk(double RequestsPerSecond, double MedianMilliseconds, double P99Milliseconds, long Errors)
{
    public const string Program = "wrk";

    public static async Task<Wrk> RunAsync(string address, string host, int connections, TimeSpan duration, CancellationToken cancellation)
    {
        var said = await CliWrap.Cli.Wrap(Program).WithValidation(CommandResultValidation.None)
            .WithArguments(["-t1", Invariant($"-c{connections}"), Invariant($"-d{duration.TotalSeconds:F0}s"), "--latency", "-H", $"Host: {host}", address])
            .ExecuteBufferedAsync(cancellation);
        return Parse(said.StandardOutput) ?? throw new BenchException($"wrk ended with {said.ExitCode}: {said.StandardOutput}{said.StandardError}");
    }

    /// <summary>Null when there is no result in what it said.</summary>
    public static Wrk? Parse(string said)
    {
        var rate = Rate().Match(said);
        var median = Percentile(said, "50%");
        var p99 = Percentile(said, "99%");
        if (!rate.Success || median is null || p99 is null)
        {
            return null;
        }

        var errors = Refusals().Matches(said).Concat(SocketErrors().Matches(said)).Sum(match => long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));
        return new Wrk(double.Parse(rate.Groups[1].Value, CultureInfo.InvariantCulture), median.Value, p99.Value, errors);
    }

    private static double? Percentile(string said, string name)
    {
        var line = Regex.Match(said, $@"^ +{name} +([0-9.]+)(us|ms|s|m)\s*$", RegexOptions.Multiline | RegexOptions.CultureInvariant);
        return line.Success
            ? double.Parse(line.Groups[1].Value, CultureInfo.InvariantCulture) * line.Groups[2].Value switch { "us" => 0.001, "ms" => 1, "s" => 1000, _ => 60_000 }
            : null;
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^Requests/sec: +([0-9.]+)", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Rate();

    [GeneratedRegex(@"Non-2xx or 3xx responses: ([0-9]+)", RegexOptions.CultureInvariant)]
    private static partial Regex Refusals();

    [GeneratedRegex(@"(?:connect|read|write|timeout) ([0-9]+)", RegexOptions.CultureInvariant)]
    private static partial Regex SocketErrors();
}
