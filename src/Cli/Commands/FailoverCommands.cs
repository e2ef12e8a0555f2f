using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror pause</c> and <c>mirror resume</c>: whether a site may move by itself.</summary>
internal static class FailoverCommands
{
    private const string PauseText = """
        No automatic failover of a site until `mirror resume`: for maintenance in which nodes may vanish for a while. The primary goes on, comes back by itself when it is restarted, and can be moved with `mirror promote`. The voters remember it, over restarts of everything.

        Exit code 0 when a majority of the voters knows: from then on nothing gets by it.

        Examples: mirror pause --reason "new kernel on all nodes"; mirror pause --site wiki --dry-run
        """;

    private const string ResumeText = """
        Automatic failover may happen again: ends `mirror pause`, and acknowledges failovers so far, so that another one need not wait for the block time (failover.block).

        Examples: mirror resume; mirror resume --site wiki --json
        """;

    public static Command Pause() => Create("pause", PauseText, true);

    public static Command Resume() => Create("resume", ResumeText, false);

    private static Command Create(string name, string text, bool paused)
    {
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = ClusterOptions.Site();
        var reason = new Option<string?>("--reason") { Description = "Why, for whoever looks at `mirror status`." };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only ask the voters what they know now." };
        var command = new Command(name, text) { config, member, site, reason, dryRun };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member));
            var request = new FailoverRequest
            {
                Site = ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site)), Paused = paused, By = Environment.UserName, Reason = parsed.GetValue(reason) ?? "", DryRun = parsed.GetValue(dryRun),
            };
            var reply = await asking.Client.SetFailoverAsync(request, deadline: Deadlines.Soon(), cancellationToken: cancellation);
            shown.Result(
                new Fields
                {
                    ["ok"] = reply.Certain, ["outcome"] = reply.Sentence, ["number"] = reply.Number == 0 ? null : reply.Number,
                    ["voters"] = reply.Voters.Select(voter => new Fields { ["voter"] = voter.Voter, ["told"] = voter.Told, ["was_paused"] = voter.WasPaused, ["reason"] = voter.Reason }),
                },
                output =>
                {
                    output.WriteLine(reply.Sentence);
                    foreach (var voter in reply.Voters.Where(voter => !voter.Told || request.DryRun))
                    {
                        output.WriteLine($"  {voter.Voter}: {(voter.Told ? voter.WasPaused ? "paused now" : "not paused now" : voter.Reason)}");
                    }
                });
            return reply.Certain ? ExitCode.Ok : ExitCode.Failed;
        });
        return command;
    }
}
