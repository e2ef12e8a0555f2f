using System.CommandLine;
using System.Globalization;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror history</c>: what was decided about a site on all its nodes, and why.</summary>
internal static class HistoryCommand
{
    private const string Text = """
        What was decided about a site, and why: who stood and won, who took over from whom, what was paused, promoted and given up. Each node keeps its own; shown are those of all nodes that answer, in the order of their clocks.

        Examples: mirror history; mirror history --last 200 --json; mirror history --only-here --node beta
        """;

    public static Command Create()
    {
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = ClusterOptions.Site();
        var last = new Option<int>("--last") { Description = "How many decisions, from 1 to 10000.", DefaultValueFactory = _ => 50 };
        var onlyHere = new Option<bool>("--only-here") { Description = "Only those of the node that is asked." };
        last.Validators.Add(found =>
        {
            if (found.Tokens is [var token] && !(int.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is >= 1 and <= 10_000))
            {
                found.AddError($"--last is a number from 1 to 10000, not \"{token.Value}\".");
            }
        });
        var command = new Command("history", Text) { config, member, site, last, onlyHere };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member));
            var request = new HistoryRequest { Site = ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site)), Last = (uint)parsed.GetValue(last), OnlyHere = parsed.GetValue(onlyHere) };
            var reply = await asking.Client.GetHistoryAsync(request, deadline: Deadlines.Soon(), cancellationToken: cancellation);
            shown.Result(
                new Fields
                {
                    ["decisions"] = reply.Decisions.Select(line => new Fields { ["time"] = TimeOf(line), ["node"] = line.Node, ["role"] = line.Role, ["epoch"] = line.Epoch, ["sentence"] = line.Sentence }),
                    ["silent"] = reply.Silent,
                },
                output =>
                {
                    foreach (var line in reply.Decisions)
                    {
                        output.WriteLine($"{TimeOf(line)}  {line.Node} ({line.Role}, epoch {line.Epoch.ToString(CultureInfo.InvariantCulture)}): {line.Sentence}");
                    }

                    if (reply.Silent.Count > 0)
                    {
                        output.WriteLine($"No answer from {string.Join(", ", reply.Silent)}: what was decided there is not shown.");
                    }
                });
            return ExitCode.Ok;
        });
        return command;
    }

    private static string TimeOf(DecisionLine line) => DateTimeOffset.FromUnixTimeMilliseconds(line.UnixMs).UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
