using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands.Diverged;

/// <summary><c>mirror diverged list</c>: of all sites and all nodes that answer.</summary>
internal static class DivergedListCommand
{
    public static Command Create()
    {
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = new Option<string?>("--site", "-s") { Description = "Only this site." };
        var onlyHere = new Option<bool>("--only-here") { Description = "Only those of the node that is asked." };
        var command = new Command(
            "list",
            "List the branches that diverged, of all nodes that answer: who wrote them, where they left the line of versions, how many paths differ, and how many of those the line does not have to this day.\n\n"
            + "Examples: mirror diverged list; mirror diverged list --site wiki --json; mirror diverged list --only-here --node alpha")
        {
            config, member, site, onlyHere,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member), suits: found => found.Kind == MemberKind.Node);
            List<string> names = parsed.GetValue(site) is { } one ? [ClusterOptions.SiteOf(asking.Config, one)] : [.. asking.Config.Sites.Keys];
            var found = new List<(string Site, DivergedBranch Branch)>();
            var silent = new SortedSet<string>(StringComparer.Ordinal);
            foreach (var name in names)
            {
                var reply = await asking.Client.ListDivergedAsync(new DivergedRequest { Site = name, OnlyHere = parsed.GetValue(onlyHere) }, deadline: Deadlines.Soon(), cancellationToken: cancellation);
                found.AddRange(reply.Branches.Select(branch => (name, branch)));
                silent.UnionWith(reply.Silent);
            }

            shown.Result(
                new Fields { ["branches"] = found.Select(pair => DivergedText.ToJson(pair.Site, pair.Branch)), ["silent"] = silent },
                output =>
                {
                    DivergedText.Write(found, output);
                    if (silent.Count > 0)
                    {
                        output.WriteLine($"No answer from {string.Join(", ", silent)}: what diverged there is not shown.");
                    }
                });
            return ExitCode.Ok;
        });
        return command;
    }
}
