using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror promote</c>: a planned switchover when there is a primary, an appointment when there is none.</summary>
internal static class PromoteCommand
{
    private const string Text = """
        Move a site to another node. With a living primary nothing is lost and no request fails: they wait at the proxies meanwhile. Without one, the node is appointed by the votes.

        --force overrules what a person may overrule: a node that is excluded (failover.never), or whose apps do not run. --allow-data-loss gives up versions that only nodes have which cannot be reached; they are kept there, as a diverged branch, when those come back. Both show first what is at stake, and ask. What another node holds that can be reached is never given up: promote that one.

        Exit code 0: the node is primary. 1: it is not, or nobody knows (the outcome says which).

        Examples: mirror promote beta; mirror promote --dry-run; mirror promote beta --epoch 7 --wait 60; mirror promote gamma --allow-data-loss --reason "alpha's disks are gone" --yes
        """;

    public static Command Create()
    {
        var to = new Argument<string?>("node") { Description = "The node that becomes primary. Default: the best replica.", Arity = ArgumentArity.ZeroOrOne };
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = ClusterOptions.Site();
        var dryRun = new Option<bool>("--dry-run") { Description = "Only print node × rule × value × limit, and what is at stake." };
        var force = new Option<bool>("--force") { Description = "Overrule the rules that a person may overrule." };
        var loss = new Option<bool>("--allow-data-loss") { Description = "Give up what only nodes have that cannot be reached. Needs --reason." };
        var reason = new Option<string?>("--reason") { Description = "Why, for `mirror history`." };
        var epoch = new Option<ulong>("--epoch") { Description = "Refuse when the site has another epoch by now." };
        var wait = new Option<int>("--wait") { Description = "Seconds to wait for the outcome, from 1 to 3600.", DefaultValueFactory = _ => 20 };
        var yes = Confirmation.Option();
        wait.Validators.Add(found =>
        {
            if (found.Tokens is [var token] && !(int.TryParse(token.Value, out var seconds) && seconds is >= 1 and <= 3600))
            {
                found.AddError($"--wait is a number of seconds from 1 to 3600, not \"{token.Value}\".");
            }
        });
        var command = new Command("promote", Text) { to, config, member, site, dryRun, force, loss, reason, epoch, wait, yes };
        command.Validators.Add(found =>
        {
            if (found.GetValue(loss) && string.IsNullOrWhiteSpace(found.GetValue(reason)))
            {
                found.AddError("--allow-data-loss needs a --reason: whoever looks for the lost versions finds it in `mirror history`.");
            }

            if (found.GetValue(force) && string.IsNullOrEmpty(found.GetValue(to)))
            {
                found.AddError("--force needs the name of a node.");
            }
        });
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member));
            var request = new PromoteRequest
            {
                Site = ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site)), To = parsed.GetValue(to) ?? "", DryRun = parsed.GetValue(dryRun), Force = parsed.GetValue(force),
                AllowDataLoss = parsed.GetValue(loss), Reason = parsed.GetValue(reason) ?? "", Epoch = parsed.GetValue(epoch), By = Environment.UserName, WaitMs = (uint)parsed.GetValue(wait) * 1000,
            };
            var run = new PromoteRun();
            if (!request.DryRun && (request.Force || request.AllowDataLoss))
            {
                var plan = await run.AskAsync(asking, new(request) { DryRun = true }, shown, cancellation);
                if (plan is not { Ok: true })
                {
                    return run.Show(plan, shown);
                }

                Confirmation.Require(parsed.GetValue(yes), shown, run.Question(request.Site, plan, asking.Config));

                // What was shown is what is done, or nothing.
                request.To = run.Target;
                request.Epoch = plan.Epoch;
            }

            return run.Show(await run.AskAsync(asking, request, shown, cancellation), shown);
        });
        return command;
    }
}
