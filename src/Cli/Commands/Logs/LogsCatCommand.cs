using System.CommandLine;
using System.Globalization;
using Mirror.Cli.Hosting;
using Mirror.Cli.Output;
using Mirror.Node.Configuration;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands.Logs;

/// <summary><c>mirror logs cat PATH</c>: a log from its first captured byte to its last, each once and in order.</summary>
internal static class LogsCatCommand
{
    public static Command Create()
    {
        var path = new Argument<string>("path") { Description = "The log, as `mirror logs ls` prints it." };
        var from = new Option<string?>("--from") { Description = "Lines that were complete in this version, and not in the one before, and all later ones.", HelpName = "version" };
        var since = new Option<string?>("--since") { Description = "The same from the first version of that time on: 2h, or 2026-02-14T09:30 (UTC).", HelpName = "time" };
        var to = new Option<string?>("--to") { Description = "Only lines that were complete in this version.", HelpName = "version" };
        var source = new HistoryOptions();
        var command = source.AddTo(new Command(
            "cat",
            "Write a log to standard output as it was written: put together over versions, emptyings and rotations, with no line lost and none twice. "
            + $"Exit code {ExitCode.Findings} when some of it is in no version that is kept any more; what and how much goes to standard error.\n\n"
            + "Examples: mirror logs cat logs/app.log; mirror logs cat logs/app.log --since 30m | grep -c error; mirror logs cat logs/app.log --from 3.127 --to 3.140 --node beta")
        {
            path, from, since, to,
        });
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            if (shown.Json)
            {
                throw new CommandException("`logs cat` writes the log itself; leave --json out. `logs ls --json` tells about it.", ExitCode.Usage);
            }

            if (parsed.GetValue(from) is not null && parsed.GetValue(since) is not null)
            {
                throw new CommandException("--from and --since both say where to begin; give one of them.", ExitCode.Usage);
            }

            var first = parsed.GetValue(from) is { } begin ? Asking.ParseVersion(begin) : (VersionId?)null;
            var last = parsed.GetValue(to) is { } end ? Asking.ParseVersion(end) : (VersionId?)null;
            var time = parsed.GetValue(since) is { } text ? ParseTime(text) : (DateTimeOffset?)null;
            await using var history = await source.OpenAsync(parsed, cancellation);
            var logs = await LoggedStreams.FindAsync(history, cancellation);
            var streams = logs.Of(EntryPath.Parse(PathPattern.Bytes(parsed.GetValue(path)!)));
            if (logs.Unknown.Count > 0)
            {
                Shown.Complain($"mirror: not known of {string.Join(", ", logs.Unknown)}: no pack that can be read leads there; what only they had is not shown");
            }

            await using var output = Console.OpenStandardOutput();
            long missing = 0;
            foreach (var stream in streams)
            {
                var start = first is null && time is null ? 0 : stream.EndIn(held => first is { } version ? held.Version < version : held.Time < time!.Value);
                var stop = last is { } until ? stream.EndIn(held => held.Version <= until) : stream.EndIn(static _ => true);
                missing += await WriteAsync(history, stream, start, stop, last is not null, output, cancellation);
            }

            return missing == 0 ? ExitCode.Ok : ExitCode.Findings;
        });
        return command;
    }

    /// <returns>Bytes that no version has.</returns>
    private static async Task<long> WriteAsync(HistorySource history, LoggedStream stream, long start, long stop, bool wholeLines, Stream output, CancellationToken cancellation)
    {
        if (start >= stop)
        {
            return 0;
        }

        var window = new LineWindow(output, start, wholeLines ? stop : null);
        var segments = stream.Segments.ToList();

        // The line that was not at its end where the range begins began in the segment before, at the earliest that is looked at.
        var begin = Math.Max(0, segments.FindLastIndex(segment => segment.Offset < start) - 1);
        long missing = 0;
        var at = segments[begin].Offset;
        if (start == 0 && at > 0)
        {
            missing += Lost(stream, 0, at);
        }

        foreach (var segment in segments.Skip(begin))
        {
            if (segment.Offset >= stop)
            {
                break;
            }

            if (segment.Offset > at)
            {
                missing += Lost(stream, at, segment.Offset);
            }

            using var content = new MemoryStream((int)segment.Size);
            await history.ReadAsync(segment.Version, segment.Path.Bytes.ToArray(), content, cancellation);
            await window.WriteAsync(segment.Offset, content.GetBuffer().AsMemory(0, (int)content.Length), cancellation);
            at = segment.Offset + content.Length;
        }

        await window.CompleteAsync(cancellation);
        return missing;
    }

    private static long Lost(LoggedStream stream, long from, long to)
    {
        Shown.Complain($"mirror: bytes {from} to {to} of stream {stream.Id} of {stream.Log} are in no version that is kept any more");
        return to - from;
    }

    private static DateTimeOffset ParseTime(string text)
    {
        if (Durations.TryParse(text, out var ago))
        {
            return TimeProvider.System.GetUtcNow() - ago;
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time
            : throw new CommandException($"\"{text}\" is no time; write how long ago (2h, 30m, 7d) or when (2026-02-14T09:30, UTC).", ExitCode.Usage);
    }
}
