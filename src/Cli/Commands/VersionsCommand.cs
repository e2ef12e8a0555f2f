using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror versions</c>: what one node, or one store, keeps.</summary>
internal static class VersionsCommand
{
    public static Command Create()
    {
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = ClusterOptions.Site();
        var store = EmbeddedStore.Option();
        var command = new Command(
            "versions", "List the versions a node or a store keeps, oldest first.\n\nExamples: mirror versions; mirror versions --node beta; mirror versions --store /backup/wiki --json")
        {
            config, member, site, store,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            IReadOnlyList<VersionSummary> versions;
            VersionPosition? current;
            if (parsed.GetValue(store) is { } directory)
            {
                await using var opened = await EmbeddedStore.OpenToReadAsync(parsed, directory, cancellation);
                versions = [.. opened.Versions.Select(VersionText.Summary)];
                current = opened.Current is { } record ? Asking.ToWire(record.Id) : null;
            }
            else
            {
                using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member), suits: found => found.Kind == Node.Configuration.MemberKind.Node);
                var request = new VersionsRequest { Site = ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site)) };
                var reply = await asking.Client.GetVersionsAsync(request, deadline: Deadlines.Soon(), cancellationToken: cancellation);
                versions = reply.Versions;
                current = reply.Current;
            }

            shown.Result(
                new Fields { ["current"] = VersionText.Name(current) is "-" ? null : VersionText.Name(current), ["versions"] = versions.Select(VersionText.ToJson) },
                output => VersionText.Write(versions, current, output, elsewhere: parsed.GetValue(store) is null ? "on other nodes" : "not restorable"));
            return ExitCode.Ok;
        });
        return command;
    }
}
