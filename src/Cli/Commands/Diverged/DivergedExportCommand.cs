using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands.Diverged;

/// <summary><c>mirror diverged export BRANCH --to DIR</c>: its files in a directory, every one checked.</summary>
internal static class DivergedExportCommand
{
    public static Command Create()
    {
        var options = new BranchOptions();
        var to = new Option<string>("--to") { Description = "A directory that does not exist yet, or is empty; on the machine of the node that keeps the branch.", Required = true, HelpName = "directory" };
        var only = new Option<bool>("--only-differing") { Description = "Only files that differ from the version where the branch left the line, with the directories above them." };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only print what would be read and written, and from where." };
        var command = options.AddTo(new Command(
            "export",
            "Write a branch that diverged into a directory: the site as the lost primary had it, or only what differs. Built beside, every file checked by its SHA-256, then put in place whole. Database dumps are below .mirror/dumps. The branch stays.\n\n"
            + "Examples: mirror diverged export 3.14 --to /tmp/lost; mirror diverged export 3.14 --to /tmp/lost --only-differing --dry-run")
        {
            to, only, dryRun,
        });
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            using var asking = await options.OpenAsync(parsed, cancellation);
            var request = new RestoreRequest
            {
                Site = asking.Site, Version = asking.Branch.Label, Destination = Path.GetFullPath(parsed.GetValue(to)!), DryRun = parsed.GetValue(dryRun),

                // A branch that shares nothing with the line differs everywhere.
                Since = parsed.GetValue(only) && asking.Branch.Left is { Sequence: > 0 } left ? left : null,
            };
            var outcome = await NodeHistory.RestoreAsync(asking.Client, asking.Node, request, shown, cancellation);
            shown.EndProgress();
            shown.Result(
                new Fields { ["node"] = asking.Node, ["branch"] = VersionText.Name(asking.Branch.Label), ["only_since"] = request.Since is null ? null : VersionText.Name(request.Since), ["export"] = RestoreText.ToJson(outcome, request) },
                output =>
                {
                    output.WriteLine($"on {asking.Node}{(request.Since is null ? "" : $", only what differs from {VersionText.Name(request.Since)}")}:");
                    RestoreText.Write(outcome, request, output);
                });
            return ExitCode.Ok;
        });
        return command;
    }
}
