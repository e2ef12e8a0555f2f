using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror capture</c>: a version now, and optionally the certainty that others hold it.</summary>
internal static class CaptureCommand
{
    public static Command Create()
    {
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = ClusterOptions.Site();
        var wait = new Option<int>("--copies") { Description = "Wait until this many nodes (the primary included) hold the version verified.", DefaultValueFactory = _ => 1 };
        var timeout = new Option<int>("--timeout") { Description = "Seconds to wait for the copies.", DefaultValueFactory = _ => 60 };
        var massDelete = new Option<bool>("--allow-mass-delete") { Description = "More than half of the site is gone, and that is meant." };
        var command = new Command("capture", "Capture the site's present state as a version now.\n\nExamples: mirror capture; mirror capture --site wiki --copies 2 --json")
        {
            config, member, site, wait, timeout, massDelete,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member), suits: found => found.Kind == Node.Configuration.MemberKind.Node);
            var request = new CaptureRequest
            {
                Site = ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site)),
                WaitCopies = (uint)parsed.GetValue(wait),
                TimeoutMs = (uint)parsed.GetValue(timeout) * 1000,
                AllowMassDelete = parsed.GetValue(massDelete),
            };
            var reply = await asking.Client.CaptureAsync(request, cancellationToken: cancellation);
            shown.Result(
                new Fields { ["ok"] = true, ["changed"] = reply.Changed, ["copies"] = reply.Copies, ["version"] = VersionText.ToJson(reply.Version) },
                output => output.WriteLine(reply.Changed
                    ? $"captured {VersionText.Name(reply.Version.Id)}, held by {reply.Copies} node(s)"
                    : $"nothing changed since {VersionText.Name(reply.Version.Id)}, held by {reply.Copies} node(s)"));
            return ExitCode.Ok;
        });
        return command;
    }
}
