using System.CommandLine;
using Grpc.Core;
using Mirror.Cli.Output;
using Mirror.Node.Wire;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror restore VERSION DEST</c>: any kept version, in a new directory.</summary>
internal static class RestoreCommand
{
    public static Command Create()
    {
        var version = new Argument<string>("version") { Description = "Such as 3.127." };
        var destination = new Argument<string>("destination") { Description = "A directory that does not exist yet, or is empty. On the machine of the node that is asked." };
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = ClusterOptions.Site();
        var store = EmbeddedStore.Option();
        var dryRun = new Option<bool>("--dry-run") { Description = "Only say whether the version can be restored from here." };
        var command = new Command(
            "restore",
            "Bring a version back into a new directory: built beside it, every file checked by its SHA-256, then put in place whole.\n\nExamples: mirror restore 3.127 /srv/wiki-as-it-was; mirror restore 1.2 /tmp/old --store /backup/wiki")
        {
            version, destination, config, member, site, store, dryRun,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            var id = Asking.ParseVersion(parsed.GetValue(version)!);
            var target = Path.GetFullPath(parsed.GetValue(destination)!);
            VersionSummary restored;
            if (parsed.GetValue(store) is { } directory)
            {
                await using var opened = await EmbeddedStore.OpenAsync(directory, create: false, cancellation);
                restored = Find([.. opened.Versions.Select(VersionText.Summary)], id, directory);
                opened.CheckDestination(target);
                if (!parsed.GetValue(dryRun))
                {
                    await opened.RestoreAsync(id, target, new ShownProgress(shown), cancellation);
                }
            }
            else
            {
                using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member), suits: found => found.Kind == Node.Configuration.MemberKind.Node);
                var name = ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site));
                var versions = await asking.Client.GetVersionsAsync(new VersionsRequest { Site = name }, deadline: Deadlines.Soon(), cancellationToken: cancellation);
                restored = Find(versions.Versions, id, asking.Member);
                if (!parsed.GetValue(dryRun))
                {
                    using var call = asking.Client.Restore(
                        new RestoreRequest { Site = name, Version = Asking.ToWire(id), Destination = target }, cancellationToken: cancellation);
                    await foreach (var progress in call.ResponseStream.ReadAllAsync(cancellation))
                    {
                        shown.Progress($"{progress.Step} {progress.Done}/{progress.Total}");
                    }
                }
            }

            shown.EndProgress();
            var did = !parsed.GetValue(dryRun);
            shown.Result(
                new { ok = did || restored.Restorable, restored = did, destination = target, version = VersionText.ToJson(restored) },
                output => output.WriteLine(did
                    ? $"{id} is in {target}: {restored.Entries} entries, {VersionText.Size((long)restored.Bytes)}, root {Convert.ToHexStringLower(restored.Root.Span)}"
                    : $"{id} {(restored.Restorable ? "can" : "cannot")} be restored from here; nothing was changed"));
            return did || restored.Restorable ? ExitCode.Ok : ExitCode.Findings;
        });
        return command;
    }

    private static VersionSummary Find(IReadOnlyList<VersionSummary> versions, VersionId id, string where) =>
        versions.FirstOrDefault(version => Asking.ToId(version.Id) == id)
        ?? throw new CommandException($"{where} keeps no version {id}; it keeps {(versions.Count == 0 ? "none" : $"{VersionText.Name(versions[0].Id)} to {VersionText.Name(versions[^1].Id)}")}. `mirror versions` lists them.");
}
