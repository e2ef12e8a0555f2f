using System.CommandLine;
using Mirror.Cli.Hosting;
using Mirror.Cli.Output;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror find PATH</c>: the history of a file, over all versions that are kept.</summary>
internal static class FindCommand
{
    public static Command Create()
    {
        var path = new Argument<string>("path") { Description = "A path with all below it, or a pattern such as **/*.md." };
        var source = new HistoryOptions();
        var command = source.AddTo(new Command(
            "find",
            "Say in which versions paths were added, changed and removed, oldest first, with sizes in bytes and the start of the SHA-256. "
            + $"Exit code {ExitCode.Findings} when no version has such a path.\n\nExamples: mirror find pages/start; mirror find '**/*.conf' --store /backup/wiki --json")
        {
            path,
        });
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            await using var history = await source.OpenAsync(parsed, cancellation);
            var found = await history.FindAsync(PathPattern.Bytes(parsed.GetValue(path)!), cancellation);
            var unknown = found.Where(line => line.Kind.Length == 0).Select(line => VersionText.Name(line.Version)).ToList();
            found = [.. found.Where(line => line.Kind.Length > 0)];
            shown.Result(new Fields { ["path"] = parsed.GetValue(path), ["changes"] = found.Select(ChangeText.ToJson), ["unknown_versions"] = unknown }, output =>
            {
                ChangeText.WriteHistory(found, output);
                if (found.Count == 0)
                {
                    output.WriteLine($"no version that is kept has {parsed.GetValue(path)}");
                }

                if (unknown.Count > 0)
                {
                    output.WriteLine($"not known of {string.Join(", ", unknown)}: no pack that can be read leads there; what they changed shows in the version after");
                }
            });
            return found.Count == 0 ? ExitCode.Findings : ExitCode.Ok;
        });
        return command;
    }
}
