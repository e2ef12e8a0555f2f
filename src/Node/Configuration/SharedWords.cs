using System.Globalization;

namespace Mirror.Node.Configuration;

/// <summary>
/// What of a configuration members decide by together, as words that are the same wherever the same is meant: by the key under which a person finds it in mirror.yaml. Paths, apps and databases are not among them: those may
/// differ from machine to machine, and only their own machine goes by them.
/// </summary>
public static class SharedWords
{
    /// <summary>Where locks decide in one place and votes in the other, each could appoint a primary.</summary>
    public static string ArbiterKey(string site) => $"sites.{site}.arbiter";

    public static IReadOnlyDictionary<string, string> Of(MirrorConfig config)
    {
        var words = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["cluster.name"] = config.Cluster.Name, ["cluster.lease"] = Durations.Format(config.Cluster.Lease), ["cluster.profile"] = NetworkProfiles.Text(config.Cluster.Profile) };
        foreach (var member in config.Members.Values)
        {
            var section = member.Kind switch { MemberKind.Node => "nodes", MemberKind.Proxy => "proxies", _ => "witnesses" };
            words[$"{section}.{member.Name}"] = string.Create(CultureInfo.InvariantCulture, $"{member.Address}, ports {member.GrpcPort} and {member.ClusterPort}");
        }

        foreach (var site in config.Sites.Values)
        {
            var key = $"sites.{site.Name}";
            words[$"{key}.primary"] = site.Primary;
            words[$"{key}.nodes"] = string.Join(", ", site.Nodes);
            words[$"{key}.voters"] = string.Join(", ", site.Voters.Order(StringComparer.Ordinal));
            words[ArbiterKey(site.Name)] = config.Cluster.Consul is { Arbiter: true } consul ? $"the lock {consul.LockKey(config.Cluster.Name, site.Name)} in Consul" : "votes";
            words[$"{key}.automatic-failover"] = site.AutomaticFailover ? "true" : "false";
            words[$"{key}.failover.block"] = Durations.Format(site.Failover.Block);
            words[$"{key}.failover.never"] = string.Join(", ", site.Failover.Never.Order(StringComparer.Ordinal));
            words[$"{key}.failover.lag-versions"] = site.Failover.LagVersions.ToString(CultureInfo.InvariantCulture);
            words[$"{key}.failover.lag"] = Durations.Format(site.Failover.Lag);
            words[$"{key}.durability.mode"] = site.Durability.Quorum ? "quorum" : "async";
            words[$"{key}.durability.within"] = Durations.Format(site.Durability.Within);
            words[$"{key}.durability.paths"] = string.Join(", ", site.Durability.Paths.Order(StringComparer.Ordinal));
        }

        return words;
    }

    /// <summary>By key.</summary>
    public static IReadOnlyList<ConfigDifference> Compare(IReadOnlyDictionary<string, string> mine, IReadOnlyDictionary<string, string> theirs) =>
        [.. mine.Keys.Union(theirs.Keys).Order(StringComparer.Ordinal).Select(key => new ConfigDifference(key, mine.GetValueOrDefault(key), theirs.GetValueOrDefault(key))).Where(found => found.Mine != found.Theirs)];
}

/// <summary>One key that two members have different words for; null: it is not in that one's configuration.</summary>
public sealed record ConfigDifference(string Key, string? Mine, string? Theirs)
{
    /// <param name="me">Whose the first word is.</param>
    public string Sentence(string me, string other) => $"{me} says {Key} = {Text(Mine)}, {other} says {Text(Theirs)}";

    private static string Text(string? word) => word is null ? "nothing" : word.Length == 0 ? "none" : word;
}
