using System.Text.RegularExpressions;

namespace Mirror.Node.Configuration;

/// <summary>What the keys of a configuration must be to each other. Adds faults at the key to change; keys that are already at fault are passed over.</summary>
internal sealed partial class ConfigRules(MirrorConfig config, string? member, FaultList faults)
{
    /// <summary>With two voters one cannot outvote a silent other; the third makes a majority.</summary>
    public const int FewestVoters = 3;

    private static readonly TimeSpan ShortestWanLease = TimeSpan.FromSeconds(10);

    // Names of files in the pki directory that are not a member's.
    private static readonly string[] ReservedMembers = ["ca", "admin"];

    public void Check()
    {
        if (member is not null && !config.Members.ContainsKey(member))
        {
            faults.Add("(member)", $"This process is to be '{member}', which the file does not list.", Spelling.Suggest(member, [.. config.Members.Keys]));
        }

        foreach (var one in config.Members.Values)
        {
            CheckMember(one);
        }

        new PortRules(config, faults).Check();
        CheckArbiter();
        CheckProfile();
        foreach (var site in config.Sites.Values)
        {
            CheckReferences(site);
            CheckVoters(site);
            CheckFailover(site);
            CheckDurability(site);
            CheckFiles(site);
            CheckGuards(site);
            CheckCapture(site);
            CheckDatabases(site);
            CheckApps(site);
            CheckRetention(site);
        }

        CheckSharedPaths();
        CheckHosts();
    }

    public static string KeyOf(MemberConfig one) => $"{ConfigReader.MemberSections.First(pair => pair.Kind == one.Kind).Key}.{one.Name}";

    private void CheckMember(MemberConfig one)
    {
        if (ReservedMembers.Contains(one.Name))
        {
            faults.Add(KeyOf(one), $"'{one.Name}' is reserved for the cluster's own certificates.", "Choose another name.");
        }

        if (one.Address.Length > 0 && Uri.CheckHostName(one.Address) == UriHostNameType.Unknown)
        {
            faults.Add($"{KeyOf(one)}.address", $"'{one.Address}' is neither a host name nor an IP address.", "Write what the others reach this machine by, without scheme or port.");
        }
        else if (System.Net.IPAddress.TryParse(one.Address, out var ip) && (ip.Equals(System.Net.IPAddress.Any) || ip.Equals(System.Net.IPAddress.IPv6Any)))
        {
            faults.Add($"{KeyOf(one)}.address", $"'{one.Address}' stands for every address; nobody can connect to it.", "Write the address the other members reach this machine by.");
        }
    }

    /// <summary>The profile makes nobody wait longer for a primary; only the lease does.</summary>
    private void CheckProfile()
    {
        if (config.Cluster.Profile == NetworkProfile.Wan && config.Cluster.Lease < ShortestWanLease)
        {
            faults.Warn(
                "cluster.lease", $"Between distant members a line is silent for seconds now and then, and a lease of {Durations.Format(config.Cluster.Lease)} moves sites when it is.",
                $"Write {Durations.Format(ShortestWanLease)} or more with `profile: wan`.");
        }
    }

    private void CheckArbiter()
    {
        if (config.Cluster.HasArbiter && config.Cluster.Lease > ConsulConfig.LongestLease)
        {
            faults.Add(
                "cluster.lease", $"Consul keeps a lost lock from others for {Durations.Format(ConsulConfig.LongestLease)} at most; a lease of {Durations.Format(config.Cluster.Lease)} would outlast that.",
                "Write 60s or less, or leave the decision to votes with `arbiter: false`.");
        }
    }

    private void CheckReferences(SiteConfig site)
    {
        var nodes = config.Members.Values.Where(one => one.Kind == MemberKind.Node).Select(one => one.Name).ToList();
        for (var i = 0; i < site.Nodes.Count; i++)
        {
            CheckReference($"sites.{site.Name}.nodes[{i}]", site.Nodes, i, nodes, "node");
        }

        for (var i = 0; i < site.Voters.Count && !ReferenceEquals(site.Voters, site.Nodes); i++)
        {
            // Voters that are not listed come from the nodes and were checked there.
            if (faults.WhereIs($"sites.{site.Name}.voters") != faults.WhereIs($"sites.{site.Name}"))
            {
                CheckReference($"sites.{site.Name}.voters[{i}]", site.Voters, i, [.. config.Members.Keys], "member");
            }
        }

        if (site.Primary.Length > 0 && site.Nodes.Count > 0 && !site.Nodes.Contains(site.Primary))
        {
            faults.Add($"sites.{site.Name}.primary", $"'{site.Primary}' is not among the site's nodes.", Spelling.Suggest(site.Primary, [.. site.Nodes]));
        }
    }

    private void CheckReference(string key, IReadOnlyList<string> list, int index, IReadOnlyList<string> known, string what)
    {
        var name = list[index];
        if (name.Length == 0)
        {
            return;
        }

        if (!known.Contains(name))
        {
            var other = config.Members.TryGetValue(name, out var found) ? $" It is a {found.Kind.ToString().ToLowerInvariant()}." : "";
            faults.Add(key, $"There is no {what} called '{name}'.{other}", Spelling.Suggest(name, [.. known]));
        }
        else if (list.Take(index).Contains(name))
        {
            faults.Add(key, $"'{name}' stands twice.", "Remove one.");
        }
    }

    private void CheckFailover(SiteConfig site)
    {
        for (var i = 0; i < site.Failover.Never.Count; i++)
        {
            CheckReference($"sites.{site.Name}.failover.never[{i}]", site.Failover.Never, i, site.Nodes, "node of the site");
        }

        if (site.AutomaticFailover && site.Nodes.Count > 0 && site.Nodes.All(site.Failover.Never.Contains))
        {
            faults.Add($"sites.{site.Name}.failover.never", "Every node of the site is excluded: nobody could ever follow.", "Leave one out, or set `automatic-failover: false`.");
        }
    }

    private void CheckDurability(SiteConfig site)
    {
        if (site.Durability.Quorum && site.Nodes.Count < 2)
        {
            faults.Add($"sites.{site.Name}.durability.mode", "There is no other node that could have a change before it is answered.", "Add a node to the site, or write `async`.");
        }
    }

    private void CheckVoters(SiteConfig site)
    {
        if (site.AutomaticFailover && !config.Cluster.HasArbiter && site.Voters.Distinct().Count() < FewestVoters)
        {
            faults.Warn(
                $"sites.{site.Name}.automatic-failover", $"{site.Voters.Count} voter{(site.Voters.Count == 1 ? "" : "s")} cannot decide who lives; automatic failover is off for this site.",
                "Add a node or a witness so that there are three voters. `mirror promote` works meanwhile.");
        }
    }

    private void CheckCapture(SiteConfig site)
    {
        if (site.Capture is { OnChange: false, HasSchedule: false })
        {
            faults.Warn(
                $"sites.{site.Name}.capture.on-change", "Nothing captures this site by itself: neither changes nor a schedule.",
                "Add `every: 5m` or a `cron:`, unless `mirror capture` is run by something else.");
        }
    }

    private void CheckApps(SiteConfig site)
    {
        foreach (var app in site.Apps)
        {
            var key = $"sites.{site.Name}.apps.{app.Name}";
            if (app.Health.Length > 0 && !app.Health.StartsWith('/'))
            {
                faults.Add($"{key}.health", $"'{app.Health}' is not a path.", "It begins with a slash, e.g. /healthz; host and port are the app's.");
            }

            for (var i = 0; i < app.Command.Count; i++)
            {
                CheckPlaceholders(site, $"{key}.command[{i}]", app.Command[i]);
            }

            foreach (var (name, value) in app.Environment)
            {
                CheckPlaceholders(site, $"{key}.environment.{name}", value);
                if (name.Length == 0 || name.AsSpan().IndexOfAny('=', '\0') >= 0)
                {
                    faults.Add($"{key}.environment.{name}", $"'{name}' cannot name an environment variable.", "Use letters, digits and '_'.");
                }
            }

            if (app.Command.Count > 0 && !app.Command.Concat(app.Environment.Values).Any(text => text.Contains("{port}", StringComparison.Ordinal)))
            {
                faults.Warn(key, "Neither command nor environment holds {port}.", "Every boot of an app gets a port of its own; hand it over with {port}, or the health check will not find the app.");
            }
        }
    }

    private void CheckPlaceholders(SiteConfig site, string key, string text)
    {
        foreach (var name in DatabasePlaceholder().Matches(text).Select(match => match.Groups[1].Value))
        {
            if (site.Databases.FirstOrDefault(database => database.Name == name) is { Kind: DatabaseKind.Command })
            {
                faults.Add(key, $"{{database:{name}}} is dumped by a command: Mirror does not know where it is.", "Write down what the app needs itself; {slot} tells a replica's private one from the others.");
            }
            else if (!site.Databases.Any(database => database.Name == name))
            {
                faults.Add(key, $"{{database:{name}}} names no database of the site.", Spelling.Suggest(name, [.. site.Databases.Select(database => database.Name)]));
            }
        }
    }

    // One machine may run several members, told apart by {node} in their paths; and no site may contain another or the state that mirrors it.
    private void CheckSharedPaths()
    {
        var members = config.Members.Values.ToList();
        for (var i = 0; i < members.Count; i++)
        {
            if (members.Take(i).FirstOrDefault(other => SameMachine(other, members[i]) && Nested(other.State, members[i].State)) is { } other)
            {
                faults.Add($"{KeyOf(members[i])}.state", $"{other.Name} on the same address keeps its state in {other.State}.", "Give each its own directory, e.g. /var/lib/mirror/{node}.");
            }
        }

        var roots = new List<(MemberConfig Node, string Site, string Root)>();
        foreach (var site in config.Sites.Values.Where(site => site.Files.Root.StartsWith('/')))
        {
            var key = $"sites.{site.Name}.files.root";
            foreach (var node in site.Nodes.Distinct().Where(config.Members.ContainsKey).Select(name => config.Members[name]))
            {
                var root = site.Files.Root.Replace("{node}", node.Name, StringComparison.Ordinal);
                if (Inside(node.State, root) || Inside(root, node.State + "/sites"))
                {
                    faults.Add(key, $"On {node.Name} the site's root {root} and the state {node.State} contain each other.", "Keep them side by side on the same file system.");
                }

                if (roots.FirstOrDefault(other => SameMachine(other.Node, node) && Nested(other.Root, root)) is { Site: not null } taken)
                {
                    faults.Add(
                        key, $"On {node.Name}, {root} is also in the way of {(taken.Site == site.Name ? $"node {taken.Node.Name}" : $"site {taken.Site}")} ({taken.Root}).",
                        taken.Site == site.Name ? "Nodes on one address need roots of their own: put {node} into the path." : "Sites cannot overlap; give each its own directory.");
                    break;
                }

                roots.Add((node, site.Name, root));
            }
        }
    }

    private void CheckHosts()
    {
        var taken = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var site in config.Sites.Values)
        {
            foreach (var (list, hosts) in new[] { ("hosts", site.Hosts), ("mirror-hosts", site.MirrorHosts) })
            {
                for (var i = 0; i < hosts.Count; i++)
                {
                    var key = $"sites.{site.Name}.{list}[{i}]";
                    if (hosts[i].Length > 0 && hosts[i] != "*" && Uri.CheckHostName(hosts[i]) == UriHostNameType.Unknown)
                    {
                        faults.Add(key, $"'{hosts[i]}' is not a host name.", "Write the name without scheme and port, or \"*\" for every other name.");
                    }
                    else if (hosts[i].Length > 0 && !taken.TryAdd(hosts[i], key))
                    {
                        faults.Add(key, $"'{hosts[i]}' is already served by {taken[hosts[i]]}.", "A host name leads to one place; remove one.");
                    }
                }
            }
        }
    }

    private void CheckRetention(SiteConfig site)
    {
        if (site.Retention is { KeepLast: > 0, KeepsByTime: false })
        {
            faults.Warn(
                $"sites.{site.Name}.retention", "Only a number of versions is kept, however short a time they span.",
                "Whoever captures often, by mistake or on purpose, pushes all older versions out: add keep-daily or keep-within.");
        }
    }

    private static bool SameMachine(MemberConfig one, MemberConfig other) => string.Equals(one.Address, other.Address, StringComparison.OrdinalIgnoreCase);

    private static bool Inside(string path, string directory) =>
        path == directory || path.StartsWith(directory.TrimEnd('/') + "/", StringComparison.Ordinal);

    private static bool Nested(string one, string other) => one.Length > 0 && other.Length > 0 && (Inside(one, other) || Inside(other, one));

    [GeneratedRegex("\\{database:([^}]*)\\}", RegexOptions.CultureInvariant)]
    private static partial Regex DatabasePlaceholder();
}
