using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror protect VERSION --reason …</c>: no policy drops it until the protection is lifted.</summary>
internal static class ProtectCommand
{
    public static Command Create()
    {
        var version = new Argument<string>("version") { Description = "Such as 3.127." };
        var reason = new Option<string?>("--reason", "-r") { Description = "Why it must stay, in a line; `mirror versions` shows it." };
        var lift = new Option<bool>("--lift") { Description = "Protect it no more." };
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = ClusterOptions.Site();
        var store = EmbeddedStore.Option();
        var dryRun = new Option<bool>("--dry-run") { Description = "Only say whether the version is there." };
        var command = new Command(
            "protect",
            "Keep a version whatever the retention policy and the budget say, on one node or in one store; or lift that again.\n\nExamples: mirror protect 3.127 --reason \"before the migration\" --node beta; mirror protect 1.4 --lift --store /backup/wiki")
        {
            version, reason, lift, config, member, site, store, dryRun,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            var id = Asking.ParseVersion(parsed.GetValue(version)!);
            var (lifts, dry) = (parsed.GetValue(lift), parsed.GetValue(dryRun));
            if (lifts == parsed.GetValue(reason) is not null)
            {
                throw new CommandException(lifts ? "to lift a protection takes no reason." : "say why: --reason \"…\". Whoever wonders later what takes the room finds it in `mirror versions`.", ExitCode.Usage);
            }

            VersionSummary found;
            if (parsed.GetValue(store) is { } directory)
            {
                await using var opened = dry
                    ? await EmbeddedStore.OpenToReadAsync(parsed, directory, cancellation)
                    : await EmbeddedStore.OpenAsync(parsed, shown, directory, create: false, cancellation);
                if (!dry)
                {
                    await (lifts ? opened.UnprotectAsync(id, cancellation) : opened.ProtectAsync(id, parsed.GetValue(reason)!, cancellation));
                }

                found = opened.Versions.Where(kept => kept.Record.Id == id).Select(VersionText.Summary).FirstOrDefault()
                    ?? throw new CommandException($"{directory} keeps no version {id}; `mirror versions --store {directory}` lists what it keeps.");
            }
            else
            {
                using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member), suits: candidate => candidate.Kind == Node.Configuration.MemberKind.Node);
                var request = new ProtectRequest
                {
                    Site = ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site)), Version = Asking.ToWire(id), Lift = lifts, Reason = parsed.GetValue(reason) ?? "", DryRun = dry,
                };
                found = (await asking.Client.ProtectAsync(request, deadline: Deadlines.Soon(), cancellationToken: cancellation)).Version;
            }

            shown.Result(
                new Fields { ["ok"] = true, ["dry_run"] = dry, ["version"] = VersionText.ToJson(found) },
                output => output.WriteLine(dry ? $"{id} is there; nothing was changed" : lifts ? $"{id} is protected no more" : $"{id} is protected: {parsed.GetValue(reason)!.Trim()}"));
            return ExitCode.Ok;
        });
        return command;
    }
}
