using System.CommandLine;
using System.Globalization;
using Mirror.Cli.Output;

namespace Mirror.Cli.Commands.Logs;

/// <summary><c>mirror logs ls</c>: which logs there are, how much of each, and since when.</summary>
internal static class LogsLsCommand
{
    public static Command Create()
    {
        var source = new HistoryOptions();
        var command = source.AddTo(new Command(
            "ls",
            "List the logs that versions hold: bytes, lives (a log that is truncated or replaced begins a new one), and the versions of their first and last lines.\n\n"
            + "Examples: mirror logs ls; mirror logs ls --store /backup/wiki --json"));
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            await using var history = await source.OpenAsync(parsed, cancellation);
            var logs = await LoggedStreams.FindAsync(history, cancellation);
            var byLog = logs.Streams.GroupBy(static stream => stream.Log).OrderBy(static group => group.Key).ToList();
            shown.Result(
                new Fields { ["logs"] = byLog.Select(ToJson), ["unknown_versions"] = logs.Unknown.Select(static id => id.ToString()) },
                output =>
                {
                    var table = Tables.New("log", "bytes", "lives", "first version", "last version", "last captured (UTC)");
                    foreach (var log in byLog)
                    {
                        var held = log.SelectMany(static stream => stream.Held).ToList();
                        var newest = held.MaxBy(static one => one.Version);
                        Tables.Row(
                            table, log.Key.ToString(), VersionText.Size(BytesOf(log)), log.Count().ToString(CultureInfo.InvariantCulture), held.Min(static one => one.Version).ToString(),
                            newest.Version.ToString(), newest.Time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture));
                    }

                    Tables.On(output).Write(table);
                    if (byLog.Count == 0)
                    {
                        output.WriteLine("no version that is kept has logs; a site's `files.logs.patterns` say which files are");
                    }
                });
            return ExitCode.Ok;
        });
        return command;
    }

    private static long BytesOf(IEnumerable<LoggedStream> streams) => streams.Sum(static stream => stream.Segments.Sum(static segment => segment.Size));

    private static Fields ToJson(IGrouping<Store.Manifests.EntryPath, LoggedStream> log) => new()
    {
        ["path"] = log.Key.ToString(),
        ["bytes"] = BytesOf(log),
        ["streams"] = log.Select(static stream => new Fields
        {
            ["id"] = stream.Id.ToString(),
            ["from"] = stream.Segments.First().Offset,
            ["to"] = stream.EndIn(static _ => true),
            ["first_version"] = stream.Held.Min(static held => held.Version).ToString(),
            ["last_version"] = stream.Held.Max(static held => held.Version).ToString(),
        }),
    };
}
