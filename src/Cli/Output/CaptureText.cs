using System.Globalization;
using Mirror.Node.Wire;
using Mirror.Primary;

namespace Mirror.Cli.Output;

/// <summary>How capturing goes at a site's primary: as it travels, as JSON, and as a line for people.</summary>
internal static class CaptureText
{
    /// <param name="now">By the clock of the primary.</param>
    public static CaptureState Of(CaptureStatus status, DateTimeOffset now)
    {
        var state = new CaptureState
        {
            LastUnixMs = status.Last?.At.ToUnixTimeMilliseconds() ?? 0,
            LastMs = status.Last?.Took.TotalMilliseconds ?? 0,
            LastFailure = status.Last?.Failure ?? "",
            Running = status.Running,
            NextUnixMs = status.Next?.At.ToUnixTimeMilliseconds() ?? 0,
            NextWhy = status.Next?.Why ?? "",
            OnChange = status.OnChange,
            QuietUntilUnixMs = status.QuietUntil?.ToUnixTimeMilliseconds() ?? 0,
            Degraded = status.Degraded ?? "",
            Missed = (uint)status.Missed.Count,
            MissedLast = status.Missed.Last,
        };
        if (status.Last?.Made is { } made)
        {
            state.LastMade = new VersionPosition { Epoch = made.Epoch, Sequence = made.Sequence };
        }

        if (status.AtRisk is { } risk)
        {
            state.AtRisk = new AtRiskState { Seconds = risk.Since is { } since ? Math.Max(0, (now - since).TotalSeconds) : 0, Versions = (uint)risk.Versions, Bytes = (ulong)risk.Bytes };
        }

        return state;
    }

    public static Fields? ToJson(CaptureState? state) => state is null ? null : new Fields
    {
        ["last"] = Json(state.LastUnixMs),
        ["last_ms"] = state.LastUnixMs == 0 ? null : state.LastMs,
        ["last_made"] = state.LastMade is null ? null : VersionText.Name(state.LastMade),
        ["last_failure"] = Text(state.LastFailure),
        ["running"] = state.Running,
        ["on_change"] = state.OnChange,
        ["next"] = Json(state.NextUnixMs),
        ["next_why"] = Text(state.NextWhy),
        ["quiet_until"] = Json(state.QuietUntilUnixMs),
        ["degraded"] = Text(state.Degraded),
        ["missed"] = state.Missed,
        ["missed_last"] = Text(state.MissedLast),
        ["at_risk"] = state.AtRisk is not { } risk ? null : new Fields { ["seconds"] = risk.Seconds, ["versions"] = risk.Versions, ["bytes"] = risk.Bytes },
    };

    /// <summary>One line on what was and what comes, and one for each thing that somebody should look at.</summary>
    public static IEnumerable<string> Lines(CaptureState state)
    {
        var last = state switch
        {
            { LastUnixMs: 0 } => "none yet",
            { LastFailure.Length: > 0 } => $"failed at {Clock(state.LastUnixMs)}",
            { LastMade: { } made } => Invariant($"{VersionText.Name(made)} at {Clock(state.LastUnixMs)}, in {state.LastMs:F0} ms"),
            _ => Invariant($"nothing new at {Clock(state.LastUnixMs)}, in {state.LastMs:F0} ms"),
        };
        string[] coming =
        [
            .. state.OnChange ? ["on change"] : Array.Empty<string>(),
            .. state.NextUnixMs == 0 ? Array.Empty<string>() : [$"{Clock(state.NextUnixMs)} ({state.NextWhy})"],
        ];
        yield return $"captures: last {last}; next {(coming.Length == 0 ? "only when asked for" : string.Join(", and ", coming))}{(state.Running ? "; one is running" : "")}";
        if (state.AtRisk is { Seconds: > 0 } risk)
        {
            yield return Invariant($"  would be lost with the primary: the last {risk.Seconds:F1} s; {risk.Versions} versions of {VersionText.Size((long)risk.Bytes)} that others do not have yet");
        }

        if (state.LastFailure.Length > 0)
        {
            yield return $"  the last failed: {state.LastFailure}";
        }

        if (state.QuietUntilUnixMs != 0)
        {
            yield return $"  none starts by itself until {Clock(state.QuietUntilUnixMs)}";
        }

        if (state.Degraded.Length > 0)
        {
            yield return $"  the watcher does not see everything: {state.Degraded}";
        }

        if (state.Missed > 0)
        {
            yield return $"  {state.Missed} scheduled captures missed since it is primary; the last {state.MissedLast}";
        }
    }

    private static string Clock(long unixMs) => DateTimeOffset.FromUnixTimeMilliseconds(unixMs).ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);

    private static string? Json(long unixMs) => unixMs == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(unixMs).ToString("O", CultureInfo.InvariantCulture);

    private static string? Text(string text) => text.Length == 0 ? null : text;

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
