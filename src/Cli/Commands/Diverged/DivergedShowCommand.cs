using System.CommandLine;
using Grpc.Core;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands.Diverged;

/// <summary><c>mirror diverged show BRANCH</c>: path by path, what it has that the line does not.</summary>
internal static class DivergedShowCommand
{
    public static Command Create()
    {
        var options = new BranchOptions();
        var command = options.AddTo(new Command(
            "show",
            "Show what a branch that diverged has, path by path, against the version where it left the line; and what became of the same paths since: \"untouched\" (the line has them as they were, so the branch's can be put there), "
            + "\"changed\" (both went on: somebody has to look) or \"same\" (nothing is missing). Database dumps are named.\n\n"
            + "Examples: mirror diverged show 3.14; mirror diverged show 3.14 --node alpha --json; mirror cat 3.14 pages/start --node alpha; mirror diff 3.12 3.14 --contents --node alpha"));
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            using var asking = await options.OpenAsync(parsed, cancellation);
            var (branch, present, paths) = (asking.Branch, (VersionPosition?)null, new List<DivergedPathLine>());
            using var call = asking.Client.ShowDiverged(new ShowDivergedRequest { Site = asking.Site, Label = branch.Label }, cancellationToken: cancellation);
            await foreach (var line in call.ResponseStream.ReadAllAsync(cancellation))
            {
                branch = line.Branch ?? branch;
                present ??= line.Present;
                if (line.Path is { } path)
                {
                    paths.Add(path);
                }
            }

            shown.Result(DivergedText.ToJson(asking.Site, branch, present, paths), output => DivergedText.Write(asking.Site, branch, present, paths, output));
            return ExitCode.Ok;
        });
        return command;
    }
}
