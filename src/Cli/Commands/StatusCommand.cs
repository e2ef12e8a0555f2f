using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror status</c>: who is there, who is primary, which version is safe, and why it is so.</summary>
internal static class StatusCommand
{
    public static Command Create()
    {
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var watch = new Option<bool>("--watch", "-w") { Description = "Show again every second, until interrupted." };
        var command = new Command(
            "status",
            "Show the cluster: members, the primary of each site, what every node holds, and the latest consistent version.\n\nExamples: mirror status; mirror status --watch; mirror status --json | jq .sites[0].primary")
        {
            config, member, watch,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member));
            do
            {
                var status = await asking.Client.GetStatusAsync(new StatusRequest(), deadline: Deadlines.Soon(), cancellationToken: cancellation);
                if (parsed.GetValue(watch) && !shown.Json && !Console.IsOutputRedirected)
                {
                    Console.Out.Write("\u001b[H\u001b[2J");
                }

                shown.Result(StatusText.ToJson(status), output => StatusText.Write(status, output));
                if (parsed.GetValue(watch))
                {
                    await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, cancellation);
                }
            }
            while (parsed.GetValue(watch));

            return ExitCode.Ok;
        });
        return command;
    }
}
