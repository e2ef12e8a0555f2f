using System.CommandLine;
using Google.Protobuf;
using Mirror.Cli.Hosting;
using Mirror.Cli.Output;
using Mirror.Node.Wire;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror restore VERSION DEST</c>: any kept version, or a part of it; in a new directory, or in place of what is there.</summary>
internal static class RestoreCommand
{
    public static Command Create()
    {
        var version = new Argument<string?>("version") { Description = "Such as 3.127.", Arity = ArgumentArity.ZeroOrOne };
        var destination = new Argument<string?>("destination")
        {
            Description = "A directory that does not exist yet, or is empty. On the machine of the node that is asked.", Arity = ArgumentArity.ZeroOrOne,
        };
        var path = new Option<string?>("--path") { Description = "Only this directory or file of the version; it becomes the destination." };
        var inPlace = new Option<bool>("--in-place")
        {
            Description = "Replace what is at the destination in one step, and keep it beside until --confirm or --undo. Interrupted, the same command goes on.",
        };
        var link = new Option<bool>("--link")
        {
            Description = "Give files that the newest version holds unchanged a second name instead of copying them. They are then ONE file with the store's own: who writes into it spoils the store. For looking only.",
        };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only print what would be read and written, and from where." };
        var confirm = new Option<string?>("--confirm") { Description = "End a restore in place at this destination: the state from before is deleted." };
        var undo = new Option<string?>("--undo") { Description = "Take a restore in place at this destination back: the state from before returns, and what was restored goes with all that changed in it." };
        var databases = new Option<bool>("--databases")
        {
            Description = "Instead of files: load the version's dumps into the databases the site uses on the node. Each is loaded beside first; what was there is kept under another name.",
        };
        var only = new Option<string[]>("--database") { Description = "With --databases: only this one. May be repeated.", HelpName = "name" };
        var live = new Option<bool>("--live") { Description = "With --databases: also on the primary, while its apps use them. What was written since the version goes, but for the copy that is kept." };
        var yes = Confirmation.Option();
        var source = new HistoryOptions();
        var command = source.AddTo(new Command(
            "restore",
            "Bring a version back: built beside the destination, every file checked by its SHA-256, then put in place whole.\n\n"
            + "Examples: mirror restore 3.127 /srv/wiki-as-it-was; mirror restore 1.2 /tmp/pages --path wiki/pages --store /backup/wiki; "
            + "mirror restore 1.2 /srv/wiki --in-place --store /backup/wiki, then mirror restore --confirm /srv/wiki, or --undo /srv/wiki; "
            + "mirror restore 3.127 --databases --dry-run")
        {
            version, destination, path, inPlace, link, databases, only, live, dryRun, yes, confirm, undo,
        });
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            var (ended, back) = (parsed.GetValue(confirm), parsed.GetValue(undo));
            var (id, target) = (parsed.GetValue(version), parsed.GetValue(destination));
            if (ended is not null || back is not null)
            {
                return ended is not null && back is not null || id is not null
                    ? throw new CommandException("--confirm and --undo stand alone, each with the destination of a restore in place.", ExitCode.Usage)
                    : End(ended ?? back!, undoes: back is not null, parsed.GetValue(dryRun), shown);
            }

            if (parsed.GetValue(databases))
            {
                return id is null || target is not null || parsed.GetValue(path) is not null || parsed.GetValue(inPlace) || parsed.GetValue(link)
                    ? throw new CommandException("--databases takes a version and no destination: the databases are the site's own. Such as `mirror restore 3.127 --databases --dry-run`.", ExitCode.Usage)
                    : await ReloadAsync(id, parsed.GetValue(only) ?? [], parsed.GetValue(live), parsed.GetValue(yes), parsed.GetValue(dryRun), source, parsed, shown, cancellation);
            }

            if (parsed.GetValue(live) || parsed.GetValue(only) is { Length: > 0 })
            {
                throw new CommandException("--database and --live go with --databases.", ExitCode.Usage);
            }

            if (id is null || target is null)
            {
                throw new CommandException("which version, and where to? Such as `mirror restore 3.127 /srv/as-it-was`.", ExitCode.Usage);
            }

            var request = new RestoreRequest
            {
                Version = Asking.ToWire(Asking.ParseVersion(id)),
                Destination = Path.GetFullPath(target),
                DryRun = parsed.GetValue(dryRun),
                Path = ByteString.CopyFrom(PathPattern.Bytes(parsed.GetValue(path) ?? "")),
                InPlace = parsed.GetValue(inPlace),
                Link = parsed.GetValue(link),
            };
            await using var history = await source.OpenAsync(parsed, cancellation);
            var outcome = await history.RestoreAsync(request, shown, cancellation);
            shown.EndProgress();
            shown.Result(RestoreText.ToJson(outcome, request), output => RestoreText.Write(outcome, request, output));
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>What would be replaced is shown, and asked for, before anything is.</summary>
    private static async Task<int> ReloadAsync(
        string version, string[] only, bool live, bool yes, bool dryRun, HistoryOptions source, ParseResult parsed, Shown shown, CancellationToken cancellation)
    {
        var request = new RestoreRequest { Version = Asking.ToWire(Asking.ParseVersion(version)), DryRun = true, Databases = new DatabaseRestore { Live = live } };
        request.Databases.Only.AddRange(only);
        await using var history = await source.OpenAsync(parsed, cancellation);
        var plan = await history.RestoreAsync(request, shown, cancellation);
        shown.EndProgress();
        if (!dryRun)
        {
            Confirmation.Require(yes, shown, $"{string.Join("; ", plan.Databases.Select(line => RestoreText.Describe(line, done: false)))}. Load {version}?");
            plan = await history.RestoreAsync(new RestoreRequest(request) { DryRun = false }, shown, cancellation);
            shown.EndProgress();
        }

        shown.Result(RestoreText.DatabasesToJson(plan, dryRun), output =>
        {
            foreach (var line in plan.Databases)
            {
                output.WriteLine(RestoreText.Describe(line, done: !dryRun));
            }

            output.WriteLine(dryRun ? "nothing was changed" : $"the databases are as in {version}; nothing deletes what is kept");
        });
        return ExitCode.Ok;
    }

    private static int End(string destination, bool undoes, bool dryRun, Shown shown)
    {
        var pending = dryRun
            ? RestoresInPlace.Find(destination) ?? throw new CommandException($"no restore in place waits at {destination}: there is nothing to confirm or undo.")
            : undoes ? RestoresInPlace.Undo(destination) : RestoresInPlace.Confirm(destination);
        shown.Result(
            new Fields { ["ok"] = true, ["destination"] = pending.Destination, ["version"] = pending.Version, ["confirmed"] = !undoes && !dryRun, ["undone"] = undoes && !dryRun, ["previous"] = pending.Previous },
            output => output.WriteLine((dryRun, undoes) switch
            {
                (true, true) => pending.Swapped
                    ? $"{pending.Destination} would be as before the restore of {pending.Version}, and what was restored would go; nothing was changed"
                    : $"the restore of {pending.Version} that was interrupted would be given up; {pending.Destination} is as it was; nothing was changed",
                (true, false) => $"{pending.Previous ?? "nothing"} would be deleted; nothing was changed",
                (false, true) => $"{pending.Destination} is as it was before the restore of {pending.Version}",
                (false, false) => $"{pending.Destination} is {pending.Version} for good; the state from before was deleted",
            }));
        return ExitCode.Ok;
    }
}
