namespace Mirror.Node.Configuration;

/// <summary>From the tree of a file to the records of a configuration. What one key must be is said here; what keys must be to each other, in <see cref="ConfigRules"/>.</summary>
internal sealed class ConfigReader(YamlMap map, string? member, FaultList faults, Overrides overrides)
{
    private const int DefaultGrpcPort = 7400;
    private const int DefaultClusterPort = 7401;
    private static readonly PortRange DefaultAppPorts = new(20000, 20999);

    public MirrorConfig Read()
    {
        var top = new Section(map, [], faults, overrides);
        var cluster = ReadCluster(top.Child("cluster"));
        var members = new Dictionary<string, MemberConfig>(StringComparer.Ordinal);
        foreach (var (key, kind) in MemberSections)
        {
            foreach (var (name, section) in top.Children(key))
            {
                if (!members.TryAdd(name, ReadMember(name, kind, section)))
                {
                    top.Fault($"{key}.{name}", $"'{name}' already names another member.", "Nodes, proxies and witnesses share one set of names; choose another.");
                }
            }
        }

        if (!members.Values.Any(one => one.Kind == MemberKind.Node))
        {
            top.Fault("nodes", "No node is listed.", "Add `nodes:` with at least one server.");
        }

        var sites = new Dictionary<string, SiteConfig>(StringComparer.Ordinal);
        foreach (var (name, section) in top.Children("sites"))
        {
            sites[name] = ReadSite(name, section, members);
        }

        if (sites.Count == 0 && !top.Has("sites"))
        {
            top.Fault("sites", "No site is listed.", "Add `sites:` with what is to be mirrored.");
        }

        top.Close();
        overrides.ReportUnknown(faults);

        var config = new MirrorConfig { Cluster = cluster, Members = members, Sites = sites };
        new ConfigRules(config, member, faults).Check();
        return config with
        {
            Cluster = cluster.Consul is { } consul ? cluster with { Consul = ConsulSection.ForMember(consul, ForMember) } : cluster,
            Sites = sites.ToDictionary(pair => pair.Key, pair => pair.Value with
            {
                AutomaticFailover = pair.Value.AutomaticFailover && (cluster.HasArbiter || pair.Value.Voters.Count >= ConfigRules.FewestVoters),
                Files = pair.Value.Files with { Root = ForMember(pair.Value.Files.Root), ReadFrom = pair.Value.Files.ReadFrom is { } snapshot ? ForMember(snapshot) : null },
                Databases = [.. pair.Value.Databases.Select(database => DatabaseSection.ForMember(database, ForMember))],
            }, StringComparer.Ordinal),
            Warnings = faults.Warnings,
        };
    }

    /// <summary>Keys under which members stand, by their kind.</summary>
    public static readonly IReadOnlyList<(string Key, MemberKind Kind)> MemberSections =
        [("nodes", MemberKind.Node), ("proxies", MemberKind.Proxy), ("witnesses", MemberKind.Witness)];

    private static ClusterConfig ReadCluster(Section section)
    {
        var name = section.Text("name");
        var cluster = new ClusterConfig(
            name,
            section.Duration("lease", TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5)),
            section.AbsolutePath("pki", "/etc/mirror/pki"))
        {
            Profile = NetworkProfiles.Read(section),
            Consul = ConsulSection.Read(section),
        };
        if (name.Length > 0 && !Section.IsName(name))
        {
            section.Fault("name", $"'{name}' cannot be a name.", "Names are 1 to 63 of a-z, 0-9 and '-', and begin with a letter or digit.");
        }

        section.Close();
        return cluster;
    }

    private static MemberConfig ReadMember(string name, MemberKind kind, Section section)
    {
        var proxy = kind == MemberKind.Proxy;
        var member = new MemberConfig(
            name,
            kind,
            section.Text("address"),
            section.Port("grpc-port", DefaultGrpcPort),
            section.Port("cluster-port", DefaultClusterPort),
            section.AbsolutePath("state", "/var/lib/mirror").Replace("{node}", name, StringComparison.Ordinal),
            proxy ? section.Texts("listen", required: true) : [],
            proxy ? section.Duration("hold-for", TimeSpan.FromSeconds(30), TimeSpan.Zero, TimeSpan.FromMinutes(10)) : TimeSpan.Zero,
            proxy ? section.Integer("hold-requests", 1000, 0, 1_000_000) : 0,
            kind == MemberKind.Node ? section.Ports("app-ports", DefaultAppPorts) : default)
        {
            HoldBytes = proxy ? section.Size("hold-bytes", MemberConfig.DefaultHoldBytes, 0, 1L << 50) : MemberConfig.DefaultHoldBytes,
            Front = proxy ? FrontConfig.Read(section) : FrontConfig.Default,
        };
        section.Close();
        return member;
    }

    private SiteConfig ReadSite(string name, Section section, Dictionary<string, MemberConfig> members)
    {
        var primary = section.Text("primary");
        var nodes = section.Texts("nodes", required: true);
        var voters = section.Has("voters")
            ? section.Texts("voters", required: true)
            : [.. nodes, .. members.Values.Where(member => member.Kind == MemberKind.Witness).Select(member => member.Name)];
        var site = new SiteConfig(
            name, primary, nodes, voters,
            ReadFiles(section.Child("files")),
            [.. section.Children("databases").Select(child => DatabaseSection.Read(child.Name, child.Section))],
            [.. section.Children("apps").Select(child => ReadApp(child.Name, child.Section))],
            [.. section.Texts("hosts").Select(host => host.ToLowerInvariant())],
            [.. section.Texts("mirror-hosts").Select(host => host.ToLowerInvariant())],
            section.Flag("automatic-failover", true))
        {
            Capture = CaptureReader.ReadCapture(section),
            Replication = CaptureReader.ReadReplication(section),
            Failover = FailoverConfig.Read(section),
            Durability = DurabilityConfig.Read(section),
            Retention = ReadRetention(section),
            Hooks = ReadHooks(section),
            MirrorLag = section.Duration("mirror-lag", TimeSpan.Zero, TimeSpan.Zero, TimeSpan.FromDays(3650)),
        };
        section.Close();
        return site;
    }

    // Absent: everything is kept. There and empty: a policy that keeps nothing, which nobody means.
    private RetentionConfig? ReadRetention(Section site)
    {
        var before = faults.Faults.Count;
        const int Most = 1_000_000;
        var longest = TimeSpan.FromDays(36_500);
        var given = site.Has("retention");
        var section = site.Child("retention");
        var frames = section.Child("key-frames");
        var retention = new RetentionConfig(
            section.Integer("keep-last", 0, 0, Most),
            section.Duration("keep-within", TimeSpan.Zero, TimeSpan.Zero, longest),
            section.Integer("keep-hourly", 0, 0, Most),
            section.Integer("keep-daily", 0, 0, Most),
            section.Integer("keep-weekly", 0, 0, Most),
            section.Integer("keep-monthly", 0, 0, Most),
            section.Integer("keep-yearly", 0, 0, Most),
            section.Size("budget", 0, 1 << 20, 1L << 60),
            section.Duration("every", TimeSpan.FromHours(1), TimeSpan.FromMinutes(1), TimeSpan.FromDays(7)),
            frames.Integer("every", 0, 0, Most),
            frames.Duration("within", TimeSpan.Zero, TimeSpan.Zero, longest));
        frames.Close();
        section.Close();
        if (retention.Drops || retention.HasKeyFrames)
        {
            return retention;
        }

        if (given && faults.Faults.Count == before)
        {
            section.FaultHere("The policy is empty: it would keep no version.", "Say what to keep, such as `keep-last: 20` and `keep-daily: 30`; or remove the key, and everything is kept.");
        }

        return null;
    }

    private static HooksConfig? ReadHooks(Section site)
    {
        var given = site.Has("hooks");
        var section = site.Child("hooks");
        var hooks = new HooksConfig(
            section.Texts("before"), section.Texts("after"), section.Duration("within", TimeSpan.FromMinutes(1), TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)));
        section.Close();
        if (given && hooks.Before.Count == 0 && hooks.After.Count == 0)
        {
            section.FaultHere("There is neither a command before nor one after.", "Write `before: [program, arguments]`, `after: […]`, or remove the key.");
        }

        return given ? hooks : null;
    }

    private static FilesConfig ReadFiles(Section section)
    {
        var files = new FilesConfig(
            section.AbsolutePath("root"),
            section.Texts("exclude"),
            section.Duration("debounce", TimeSpan.FromMilliseconds(200), TimeSpan.Zero, TimeSpan.FromHours(1)),
            section.Duration("every", TimeSpan.FromMinutes(5), TimeSpan.FromSeconds(1), TimeSpan.FromDays(7)))
        {
            MassDelete = section.Share("mass-delete", FilesConfig.DefaultMassDelete),
            Marker = section.Has("marker") ? section.Text("marker") : null,
            ReadFrom = section.Has("read-from") ? section.AbsolutePath("read-from") : null,
            Sweep = section.Duration("sweep", FilesConfig.DefaultSweep, TimeSpan.Zero, TimeSpan.FromDays(3650)),
            Logs = ReadLogs(section),
        };
        section.Close();
        return files;
    }

    private static LogsConfig? ReadLogs(Section files)
    {
        if (!files.Has("logs"))
        {
            return null;
        }

        var section = files.Child("logs");
        var logs = new LogsConfig(
            section.Texts("patterns", required: true),
            section.Duration("keep", TimeSpan.FromDays(30), TimeSpan.FromMinutes(1), TimeSpan.FromDays(36_500)),
            section.Flag("empty", false),
            section.Size("empty-from", 1 << 20, 4096, 1L << 60),
            section.Duration("empty-after", TimeSpan.Zero, TimeSpan.Zero, TimeSpan.FromDays(365)));
        section.Close();
        return logs;
    }

    private static AppConfig ReadApp(string name, Section section)
    {
        var app = new AppConfig(
            name,
            section.Texts("command", required: true),
            section.Pairs("environment"),
            section.Text("health"),
            section.Duration("start-within", TimeSpan.FromSeconds(30), TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)),
            section.Duration("stop-within", TimeSpan.FromSeconds(5), TimeSpan.Zero, TimeSpan.FromHours(1)));
        section.Close();
        return app;
    }

    private string ForMember(string text) => member is null ? text : text.Replace("{node}", member, StringComparison.Ordinal);
}
