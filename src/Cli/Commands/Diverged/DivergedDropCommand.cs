using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands.Diverged;

/// <summary><c>mirror diverged drop BRANCH --reason …</c>: a person gives it up, for good.</summary>
internal static class DivergedDropCommand
{
    public static Command Create()
    {
        var options = new BranchOptions();
        var reason = new Option<string>("--reason", "-r") { Description = "Why nobody needs it any more, in a line; `mirror history` keeps who said so, when, and why.", Required = true };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only show what would be lost." };
        var yes = Confirmation.Option();
        var command = options.AddTo(new Command(
            "drop",
            "Give a branch that diverged up, for good: nothing else has what is in it. Shows first what would be lost, and asks. What other versions need of its packs stays with those; a version of it that still lies in a slot goes when the next one has taken that.\n\n"
            + "Examples: mirror diverged drop 3.14 --reason \"both orders were typed in again\" --dry-run; mirror diverged drop 3.14 --reason \"looked at, nothing of worth\" --yes")
        {
            reason, dryRun, yes,
        });
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            using var asking = await options.OpenAsync(parsed, cancellation);
            var dry = parsed.GetValue(dryRun);
            var request = new DropDivergedRequest { Site = asking.Site, Label = asking.Branch.Label, Reason = parsed.GetValue(reason)!, By = Environment.UserName, DryRun = true };
            var reply = await asking.Client.DropDivergedAsync(request, deadline: Deadlines.Soon(), cancellationToken: cancellation);
            if (!dry)
            {
                if (!parsed.GetValue(yes) && !shown.Json)
                {
                    DivergedText.WriteLoss(asking.Site, reply, Console.Error);
                }

                Confirmation.Require(parsed.GetValue(yes), shown, $"Give up the diverged branch {VersionText.Name(reply.Branch.Label)} of {asking.Site} on {asking.Node} for good?");
                request.DryRun = false;

                // Packs that led over it are joined first: as long as that takes.
                reply = await asking.Client.DropDivergedAsync(request, cancellationToken: cancellation);
            }

            shown.Result(
                new Fields
                {
                    ["ok"] = true, ["dry_run"] = dry, ["reason"] = request.Reason.Trim(), ["branch"] = DivergedText.ToJson(asking.Site, reply.Branch),
                    ["stay"] = reply.Stay.Select(line => new Fields { ["id"] = VersionText.Name(line.Id), ["reason"] = line.Reason }),
                    ["bytes_before"] = reply.BytesBefore, ["bytes_after"] = dry ? null : reply.BytesAfter,
                },
                output =>
                {
                    if (dry)
                    {
                        DivergedText.WriteLoss(asking.Site, reply, output);
                        output.WriteLine("nothing was changed");
                        return;
                    }

                    output.WriteLine($"the diverged branch {VersionText.Name(reply.Branch.Label)} of {asking.Site} on {asking.Node} is given up; the history took {VersionText.Size((long)reply.BytesBefore)} and takes {VersionText.Size((long)reply.BytesAfter)}");
                    foreach (var line in reply.Stay)
                    {
                        output.WriteLine($"{VersionText.Name(line.Id)} goes later: {line.Reason}");
                    }
                });
            return ExitCode.Ok;
        });
        return command;
    }
}
