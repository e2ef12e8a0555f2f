using System.CommandLine;
using Grpc.Core;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror keyframe [VERSION]</c>: a version kept whole, so that nothing between it and the newest is needed to have it back.</summary>
internal static class KeyFrameCommand
{
    public static Command Create()
    {
        var version = new Argument<string?>("version") { Description = "Such as 3.127. Default: the newest.", Arity = ArgumentArity.ZeroOrOne };
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = ClusterOptions.Site();
        var store = EmbeddedStore.Option();
        var dryRun = new Option<bool>("--dry-run") { Description = "Only say whether one can be made here." };
        var command = new Command(
            "keyframe",
            "Make a key frame: a pack that holds a version whole, made of what the node or the store has. Old versions are restored by a shorter way then, and bear the loss of any pack between. It takes about the compressed site.\n\nExamples: mirror keyframe; mirror keyframe 3.127 --node beta; mirror keyframe --store /backup/wiki")
        {
            version, config, member, site, store, dryRun,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            var dry = parsed.GetValue(dryRun);
            VersionSummary of;
            long bytes = 0;
            if (parsed.GetValue(store) is { } directory)
            {
                await using var opened = dry
                    ? await EmbeddedStore.OpenToReadAsync(parsed, directory, cancellation)
                    : await EmbeddedStore.OpenAsync(parsed, shown, directory, create: false, cancellation);
                var id = parsed.GetValue(version) is { } text ? Asking.ParseVersion(text) : opened.Head?.Id ?? default;
                of = opened.Versions.Where(kept => kept.Record.Id == id).Select(VersionText.Summary).FirstOrDefault()
                    ?? throw new CommandException($"{directory} keeps no version {id}; `mirror versions --store {directory}` lists what it keeps.");
                bytes = dry ? 0 : (await opened.MakeKeyFrameAsync(id, new ShownProgress(shown), cancellation)).Bytes;
            }
            else
            {
                using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member), suits: found => found.Kind == Node.Configuration.MemberKind.Node);
                var request = new KeyFrameRequest { Site = ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site)), DryRun = dry };
                if (parsed.GetValue(version) is { } text)
                {
                    request.Version = Asking.ToWire(Asking.ParseVersion(text));
                }

                Progress? last = null;
                using var call = asking.Client.MakeKeyFrame(request, cancellationToken: cancellation);
                await foreach (var progress in call.ResponseStream.ReadAllAsync(cancellation))
                {
                    last = progress;
                    shown.Progress($"{progress.Step} {progress.Done}/{progress.Total}");
                }

                (of, bytes) = last is { Finished: true }
                    ? (last.Version, (long)last.Done)
                    : throw new CommandException($"{asking.Member} ended the call without saying what it did; try again.");
            }

            shown.EndProgress();
            var ok = !dry || of.Restorable;
            shown.Result(
                new Fields { ["ok"] = ok, ["dry_run"] = dry, ["bytes"] = dry ? (long?)null : bytes, ["version"] = VersionText.ToJson(of) },
                output => output.WriteLine(dry
                    ? $"{VersionText.Name(of.Id)} {(of.Restorable ? "is whole here: a key frame can be made" : "is not whole here: no key frame can be made")}; nothing was changed"
                    : $"{VersionText.Name(of.Id)} has a key frame of {VersionText.Size(bytes)}"));
            return ok ? ExitCode.Ok : ExitCode.Findings;
        });
        return command;
    }
}
