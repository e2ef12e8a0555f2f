using System.CommandLine;

namespace Mirror.Cli.Commands.Logs;

/// <summary><c>mirror logs</c>: append-only logs over all versions, whatever became of their files.</summary>
internal static class LogsCommand
{
    public static Command Create() => new(
        "logs",
        "Show the append-only logs of a site (its `files.logs`) over all versions that are kept, also of what was emptied or rotated since.\n\n" +
        "Examples: mirror logs ls; mirror logs cat logs/app.log --since 2h; mirror logs cat logs/app.log --from 3.127 --to 3.140 --store /backup/wiki")
    {
        LogsCatCommand.Create(),
        LogsLsCommand.Create(),
    };
}
