using System.CommandLine;
using Mirror.Cli.Hosting;
using Mirror.Cli.Output;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Store.Manifests;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror ignore explain PATH</c>: is it part of a version, and what decides.</summary>
internal static class IgnoreCommand
{
    private const string ExcludeOption = "--exclude";

    /// <summary>Exclude patterns on a command line, as <c>save</c> takes them.</summary>
    public static Option<string[]> Exclude() => new(ExcludeOption)
    {
        Description = "Leave out what this pattern matches; gitignore's syntax, relative to the source (cache/, /build/**, *.tmp, !keep.tmp). May be given often; the last that matches decides.",
        AllowMultipleArgumentsPerToken = false,
    };

    public static Command Create() => new("ignore", "What is left out of versions, and why.\n\nExample: mirror ignore explain cache/thumbs/a.png --site wiki") { Explain() };

    private static Command Explain()
    {
        var paths = new Argument<string[]>("path") { Description = "Relative to the site's root, or absolute within it. A slash at the end makes it a directory; otherwise the tree is asked.", Arity = ArgumentArity.OneOrMore };
        var exclude = Exclude();
        var root = new Option<string?>("--root") { Description = "With --exclude: the directory that would be saved. Default: the current one." };
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = ClusterOptions.Site();
        var command = new Command(
            "explain",
            """
            Say of paths whether they are part of a version, and which pattern decides: that of a site's configuration (`files.exclude`), or those given by --exclude. Changes nothing.

            Examples: mirror ignore explain cache/thumbs/a.png --site wiki; mirror ignore explain build/ --exclude '/build/*' --exclude '!/build/keep' --json
            """)
        {
            paths, exclude, root, config, member, site,
        };
        command.SetRun((parsed, shown, _) =>
        {
            var patterns = parsed.GetValue(exclude) ?? [];
            var rules = patterns.Length > 0
                ? new Rules(Path.GetFullPath(parsed.GetValue(root) ?? "."), new PathFilter([], patterns), patterns, i => $"{ExcludeOption} number {i + 1}", "")
                : OfSite(ClusterOptions.FindConfig(parsed.GetValue(config)), parsed.GetValue(member), parsed.GetValue(site));
            var answers = parsed.GetValue(paths)!.Select(path => Answer(rules, path)).ToList();
            var useless = rules.Filter.MatchNothing.Select(i => rules.Place(i)).ToList();
            shown.Result(
                new Fields { ["ok"] = true, ["root"] = rules.Root, ["paths"] = answers.Select(ToJson), ["useless_patterns"] = useless },
                output =>
                {
                    foreach (var answer in answers)
                    {
                        output.WriteLine(answer.Text);
                    }

                    foreach (var place in useless)
                    {
                        output.WriteLine($"{place} can match nothing: it is empty, a comment, or has a bracket that is not closed or a backslash at its end");
                    }
                });
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    /// <param name="Place">Where a pattern stands, by its index.</param>
    /// <param name="Databases">What a private path belongs to.</param>
    private sealed record Rules(string Root, PathFilter Filter, IReadOnlyList<string> Patterns, Func<int, string> Place, string Databases);

    private sealed record Explanation(string Path, bool Excluded, string Reason, string At, string? Pattern, string? Place, string Text);

    private static Rules OfSite(string file, string? member, string? site)
    {
        var config = ClusterOptions.Load(file, member ?? ClusterOptions.FromEnvironment("MIRROR_NODE"));
        var found = config.Sites[ClusterOptions.SiteOf(config, site)];
        return new Rules(
            found.Files.Root, PathFilter.For(found), found.Files.Exclude, i => $"{file}: sites.{found.Name}.files.exclude[{i}]", $"{file}: sites.{found.Name}.databases");
    }

    private static Explanation Answer(Rules rules, string typed)
    {
        var (path, type) = Locate(rules.Root, typed);
        if (path.IsWithin(EntryPath.Parse(SlotDatabases.Reserved)))
        {
            return new Explanation(path.ToString(), true, "reserved", SlotDatabases.Reserved, null, null, $"{path} is left out: {SlotDatabases.Reserved} at the top is Mirror's own");
        }

        var decision = rules.Filter.Explain(path, type);
        var at = decision.At.ToString();
        if (decision.IsPrivate)
        {
            return new Explanation(path.ToString(), true, "database", at, null, rules.Databases, $"{path} is left out: it belongs to a live database, of which a dump is part of the version ({rules.Databases})");
        }

        if (decision.Pattern is not { } index)
        {
            return new Explanation(path.ToString(), false, "none", at, null, null, $"{(path.IsRoot ? "the root" : path.ToString())} is captured: no pattern matches it");
        }

        var by = $"\"{rules.Patterns[index]}\" ({rules.Place(index)})";
        var text = !decision.IsExcluded ? $"{path} is captured: {by} takes it back in"
            : decision.At == path ? $"{path} is left out by {by}"
            : $"{path} is left out because {at} is, with all below it, by {by}";
        return new Explanation(path.ToString(), decision.IsExcluded, "pattern", at, rules.Patterns[index], rules.Place(index), text);
    }

    private static (EntryPath Path, EntryType Type) Locate(string root, string typed)
    {
        var relative = typed;
        if (typed.StartsWith('/'))
        {
            var inside = (typed.TrimEnd('/') + "/").StartsWith(root.TrimEnd('/') + "/", StringComparison.Ordinal);
            relative = inside
                ? typed[Math.Min(typed.Length, root.TrimEnd('/').Length + 1)..]
                : throw new CommandException($"{typed} does not lie in {root}. Give a path in it, or one relative to it.", ExitCode.Usage);
        }

        EntryPath path;
        try
        {
            path = EntryPath.Parse(PathPattern.Bytes(relative));
        }
        catch (InvalidDataException refused)
        {
            throw new CommandException(refused.Message, ExitCode.Usage);
        }

        var here = new FileInfo(Path.Combine(root, relative));
        var isDirectory = typed.EndsWith('/') || (here.LinkTarget is null && Directory.Exists(here.FullName));
        return (path, isDirectory ? EntryType.Directory : EntryType.File);
    }

    private static Fields ToJson(Explanation answer) => new()
    {
        ["path"] = answer.Path, ["excluded"] = answer.Excluded, ["reason"] = answer.Reason, ["decided_at"] = answer.At, ["pattern"] = answer.Pattern, ["place"] = answer.Place,
    };
}
