namespace Mirror.Node.Configuration;

/// <summary>When a site may move by itself, and to whom. <c>mirror promote</c> is bound by none of it.</summary>
/// <param name="Block">After an automatic failover no second one for so long, unless <c>mirror resume</c> acknowledges it; default 1 min.</param>
/// <param name="Never">Nodes that are never appointed automatically.</param>
/// <param name="LagVersions">How many versions a node may lack; 0 for any number, the default.</param>
/// <param name="Lag">How much older its newest version may be; zero for any age, the default.</param>
public sealed record FailoverConfig(TimeSpan Block, IReadOnlyList<string> Never, int LagVersions, TimeSpan Lag)
{
    public static FailoverConfig Default { get; } = new(TimeSpan.FromMinutes(1), [], 0, TimeSpan.Zero);

    internal static FailoverConfig Read(Section site)
    {
        var section = site.Child("failover");
        var failover = new FailoverConfig(
            section.Duration("block", Default.Block, TimeSpan.Zero, TimeSpan.FromDays(7)),
            section.Texts("never"),
            section.Integer("lag-versions", 0, 0, 1_000_000),
            section.Duration("lag", TimeSpan.Zero, TimeSpan.Zero, TimeSpan.FromDays(366)));
        section.Close();
        return failover;
    }

    internal static void Write(ConfigWriter.Text text, FailoverConfig failover)
    {
        if (failover.Block == Default.Block && failover is { Never.Count: 0, LagVersions: 0, Lag.Ticks: 0 })
        {
            return;
        }

        text.Comment(2, "What holds automatic failover back.");
        text.Line(2, "failover:");
        text.Pair(3, "block", Durations.Format(failover.Block));
        text.List(3, "never", failover.Never);
        text.Pair(3, "lag-versions", failover.LagVersions.ToString(System.Globalization.CultureInfo.InvariantCulture));
        text.Pair(3, "lag", Durations.Format(failover.Lag));
    }
}
