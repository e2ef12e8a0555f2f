using System.CommandLine;
using Mirror.Cli.Hosting;
using Mirror.Cli.Output;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror cat VERSION PATH</c>: one file of one version.</summary>
internal static class CatCommand
{
    public static Command Create()
    {
        var version = new Argument<string>("version") { Description = "Such as 3.127." };
        var path = new Argument<string>("path") { Description = "A file of the version, as `mirror show` prints it." };
        var source = new HistoryOptions();
        var command = source.AddTo(new Command(
            "cat",
            "Write one file of a version to standard output; it is whole and checked by its SHA-256 before the first byte comes.\n\n"
            + "Examples: mirror cat 3.127 pages/start > start; mirror cat 1.2 index.html --store /backup/wiki")
        {
            version, path,
        });
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            if (shown.Json)
            {
                throw new CommandException("`cat` writes the content itself; leave --json out. `show --json` tells about it.", ExitCode.Usage);
            }

            var id = Asking.ParseVersion(parsed.GetValue(version)!);
            await using var history = await source.OpenAsync(parsed, cancellation);
            await using var output = Console.OpenStandardOutput();
            await history.ReadAsync(id, PathPattern.Bytes(parsed.GetValue(path)!), output, cancellation);
            return ExitCode.Ok;
        });
        return command;
    }
}
