using Mirror.Node.Wire;

namespace Mirror.Cli.Output;

/// <summary>What a restore did, or would do.</summary>
internal static class RestoreText
{
    private const int MostLines = 20;

    public static Fields ToJson(RestoreOutcome outcome, RestoreRequest request) => new Fields
    {
        ["ok"] = true,
        ["restored"] = !request.DryRun,
        ["destination"] = outcome.Destination,
        ["version"] = VersionText.ToJson(outcome.Version),
        ["entries"] = outcome.Entries,
        ["files"] = outcome.Files,
        ["linked"] = outcome.Linked,
        ["bytes_to_write"] = outcome.BytesToWrite,
        ["bytes_to_read"] = request.DryRun ? outcome.BytesToRead : (ulong?)null,
        ["bytes_needed"] = request.DryRun ? outcome.BytesNeeded : (ulong?)null,
        ["bytes_free"] = request.DryRun ? outcome.BytesFree : (ulong?)null,
        ["replaces"] = request.DryRun ? outcome.Replaces : (bool?)null,
        ["manifest_packs"] = request.DryRun ? outcome.ManifestPacks : null,
        ["sources"] = request.DryRun ? outcome.Sources.Select(source => new Fields { ["name"] = source.Name, ["contents"] = source.Contents, ["bytes"] = source.Bytes }) : null,
        ["peers"] = outcome.Peers.Select(peer => new Fields { ["node"] = peer.Name, ["contents"] = peer.Contents, ["bytes"] = peer.Bytes }),
        ["damaged"] = outcome.Damaged,
        ["detours"] = outcome.Detours.Select(detour => new Fields { ["damaged"] = detour.Damaged, ["instead"] = detour.Instead }),
        ["unset"] = outcome.Unset,
        ["previous"] = outcome.Previous.Length == 0 ? null : outcome.Previous,
    };

    public static Fields DatabasesToJson(RestoreOutcome outcome, bool dryRun) => new Fields
    {
        ["ok"] = true,
        ["restored"] = !dryRun,
        ["version"] = VersionText.ToJson(outcome.Version),
        ["databases"] = outcome.Databases.Select(line => new Fields { ["name"] = line.Name, ["target"] = line.Target, ["replaces"] = line.Exists, ["kept_as"] = line.KeptAs.Length == 0 ? null : line.KeptAs }),
    };

    public static string Describe(DatabaseLine line, bool done) => (line.Exists, done) switch
    {
        (true, true) => $"{line.Name}: {line.Target} was replaced; its state from before is {line.KeptAs}",
        (true, false) => $"{line.Name}: {line.Target} would be replaced; its present state would be kept as {line.KeptAs}",
        (false, true) => $"{line.Name}: {line.Target} was made",
        (false, false) => $"{line.Name}: {line.Target} would be made",
    };

    public static void Write(RestoreOutcome outcome, RestoreRequest request, TextWriter output)
    {
        if (request.DryRun)
        {
            WritePlan(outcome, output);
        }
        else
        {
            output.WriteLine(
                $"{VersionText.Name(outcome.Version.Id)} is in {outcome.Destination}: {outcome.Entries} entries, {Size(outcome.BytesToWrite)}"
                + $"{(outcome.Linked > 0 ? $", {outcome.Linked} files linked with the store's own (do not write into them)" : "")}, root {Convert.ToHexStringLower(outcome.Version.Root.Span)}");
        }

        foreach (var peer in outcome.Peers)
        {
            output.WriteLine($"{(request.DryRun ? "would be borrowed" : "borrowed")} from {peer.Name}: {peer.Contents} {(peer.Contents == 1 ? "content" : "contents")}, {Size(peer.Bytes)}");
        }

        Lines(output, "damaged", outcome.Damaged);
        Lines(output, "gone round", outcome.Detours.Select(detour => $"{detour.Damaged}; used instead: {detour.Instead}"));
        Lines(output, "not set", outcome.Unset);
        if (outcome.Previous.Length > 0)
        {
            output.WriteLine($"what was there before is kept in {outcome.Previous}: `mirror restore --confirm {outcome.Destination}` deletes it, `mirror restore --undo {outcome.Destination}` brings it back");
        }
    }

    private static void WritePlan(RestoreOutcome plan, TextWriter output)
    {
        output.WriteLine($"{VersionText.Name(plan.Version.Id)} can be restored to {plan.Destination}: {plan.Entries} entries, {plan.Files} files{(plan.Linked > 0 ? $", {plan.Linked} of them linked" : "")}");
        output.WriteLine($"manifest: {(plan.ManifestPacks.Count == 0 ? "the newest version's" : $"over {string.Join(", ", plan.ManifestPacks.Take(MostLines))}{(plan.ManifestPacks.Count > MostLines ? $" and {plan.ManifestPacks.Count - MostLines} more" : "")}")}");
        foreach (var source in plan.Sources.Take(MostLines))
        {
            output.WriteLine($"  {source.Contents,8} contents, {Size(source.Bytes),10} from {source.Name}");
        }

        if (plan.Sources.Count > MostLines)
        {
            output.WriteLine($"  and from {plan.Sources.Count - MostLines} more");
        }

        output.WriteLine($"to read: {Size(plan.BytesToRead)}; to write: {Size(plan.BytesToWrite)}; room needed: {plan.BytesNeeded} bytes of {plan.BytesFree} free{(plan.BytesNeeded > plan.BytesFree ? ": TOO LITTLE" : "")}");
        output.WriteLine(plan.Replaces ? "what is there would be kept beside it until --confirm or --undo; nothing was changed" : "nothing was changed");
    }

    private static void Lines(TextWriter output, string what, IEnumerable<string> lines)
    {
        var all = lines.ToList();
        foreach (var line in all.Take(MostLines))
        {
            output.WriteLine($"{what}: {line}");
        }

        if (all.Count > MostLines)
        {
            output.WriteLine($"{what}: {all.Count - MostLines} more (--json lists all)");
        }
    }

    private static string Size(ulong bytes) => VersionText.Size((long)bytes);
}
