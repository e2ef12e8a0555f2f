using System.CommandLine;
using Grpc.Core;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror verify</c>: is everything kept still what it was?</summary>
internal static class VerifyCommand
{
    public static Command Create()
    {
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = ClusterOptions.Site();
        var store = EmbeddedStore.Option();
        var readData = new Option<bool>("--read-data") { Description = "Also read every file and compare its SHA-256." };
        var command = new Command(
            "verify",
            $"Check slots, packs and the chain of versions of a node or a store. Exit code {ExitCode.Findings} when something is not in order.\n\nExamples: mirror verify --read-data; mirror verify --store /backup/wiki")
        {
            config, member, site, store, readData,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            IReadOnlyList<string> findings;
            if (parsed.GetValue(store) is { } directory)
            {
                await using var opened = await EmbeddedStore.OpenToReadAsync(parsed, directory, cancellation);
                var found = await opened.VerifyAsync(parsed.GetValue(readData), new ShownProgress(shown), cancellation);
                findings = [.. found.Select(finding => $"{finding.What} {finding.Remedy}")];
            }
            else
            {
                using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member), suits: found => found.Kind == Node.Configuration.MemberKind.Node);
                var request = new VerifyRequest { Site = ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site)), ReadData = parsed.GetValue(readData) };
                using var call = asking.Client.Verify(request, cancellationToken: cancellation);
                findings = [];
                await foreach (var progress in call.ResponseStream.ReadAllAsync(cancellation))
                {
                    shown.Progress($"{progress.Step} {progress.Done}/{progress.Total}");
                    findings = progress.Finished ? progress.Findings : findings;
                }
            }

            shown.EndProgress();
            shown.Result(new Fields { ["ok"] = findings.Count == 0, ["findings"] = findings }, output =>
            {
                foreach (var finding in findings)
                {
                    output.WriteLine(finding);
                }

                output.WriteLine(findings.Count == 0 ? "everything checked is in order" : $"{findings.Count} finding(s)");
            });
            return findings.Count == 0 ? ExitCode.Ok : ExitCode.Findings;
        });
        return command;
    }
}
