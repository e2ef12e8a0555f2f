namespace Mirror.Node.Configuration;

/// <summary>What the answer to a change waits for.</summary>
/// <param name="Quorum">True: until its effects outlive the primary. False (the default, <c>async</c>): for nothing; what was acknowledged since the last consistent version can be lost with the primary.</param>
/// <param name="Within">For so long at most; then the client is told that the outcome is open. Default 10 s.</param>
/// <param name="Paths">What the paths of such requests begin with; default all.</param>
public sealed record DurabilityConfig(bool Quorum, TimeSpan Within, IReadOnlyList<string> Paths)
{
    public static DurabilityConfig Default { get; } = new(false, TimeSpan.FromSeconds(10), ["/"]);

    internal static DurabilityConfig Read(Section site)
    {
        var section = site.Child("durability");
        var mode = section.Text("mode", "async");
        if (mode is not ("async" or "quorum"))
        {
            section.Fault("mode", $"'{mode}' is no durability.", "Write `async` (answers wait for nothing) or `quorum` (until other nodes have what was changed).");
        }

        var paths = section.Has("paths") ? section.Texts("paths", required: true) : Default.Paths;
        foreach (var path in paths.Where(path => path[0] != '/'))
        {
            section.Fault("paths", $"'{path}' is not the beginning of a path.", "Let it begin with a slash: `/api/`.");
        }

        var durability = new DurabilityConfig(mode == "quorum", section.Duration("within", Default.Within, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5)), paths);
        section.Close();
        return durability;
    }

    internal static void Write(ConfigWriter.Text text, DurabilityConfig durability)
    {
        if (!durability.Quorum && durability.Within == Default.Within && durability.Paths.SequenceEqual(Default.Paths))
        {
            return;
        }

        text.Comment(2, "What the answer to a change waits for.");
        text.Line(2, "durability:");
        text.Pair(3, "mode", durability.Quorum ? "quorum" : "async");
        text.Pair(3, "within", Durations.Format(durability.Within));
        text.List(3, "paths", durability.Paths);
    }
}
