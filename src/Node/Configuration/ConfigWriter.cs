using System.Globalization;
using System.Text;

namespace Mirror.Node.Configuration;

/// <summary>Writes a configuration as a commented mirror.yaml for people to go on with. What it writes, <see cref="ConfigFile"/> reads back as the same configuration.</summary>
public static class ConfigWriter
{
    public static string Write(MirrorConfig config)
    {
        var text = new Text();
        text.Comment(0, "The configuration of a cluster, the same file on every machine. Written by `mirror init`; edit as you like.");
        text.Comment(0, "docs/mirror.example.yaml explains every key. Check with `mirror doctor`.");
        text.Line(0, "cluster:");
        text.Pair(1, "name", config.Cluster.Name);
        text.Comment(1, "A primary may write for this long after a majority of the voters last agreed.");
        text.Pair(1, "lease", Durations.Format(config.Cluster.Lease));
        if (config.Cluster.Profile != NetworkProfile.Lan)
        {
            text.Comment(1, "What lies between the members: lan, or wan.");
            text.Pair(1, "profile", NetworkProfiles.Text(config.Cluster.Profile));
        }

        text.Comment(1, "ca.crt, and NAME.crt and NAME.key of each member that runs here.");
        text.Pair(1, "pki", config.Cluster.Pki);
        if (config.Cluster.Consul is { } consul)
        {
            ConsulSection.Write(text, consul);
        }

        foreach (var (key, kind) in ConfigReader.MemberSections)
        {
            var members = config.Members.Values.Where(member => member.Kind == kind).ToList();
            if (members.Count > 0)
            {
                text.Blank();
                text.Comment(0, Explanation(kind));
                text.Line(0, $"{key}:");
                members.ForEach(member => WriteMember(text, member));
            }
        }

        text.Blank();
        text.Line(0, "sites:");
        foreach (var site in config.Sites.Values)
        {
            WriteSite(text, site);
        }

        return text.ToString();
    }

    private static string Explanation(MemberKind kind) => kind switch
    {
        MemberKind.Node => "Servers that hold sites and run their apps.",
        MemberKind.Proxy => "The front that readers reach.",
        _ => "Members that hold no site and only vote.",
    };

    private static void WriteMember(Text text, MemberConfig member)
    {
        text.Line(1, $"{Text.Quote(member.Name)}:");
        text.Pair(2, "address", member.Address);
        text.Pair(2, "grpc-port", Number(member.GrpcPort));
        text.Pair(2, "cluster-port", Number(member.ClusterPort));
        text.Pair(2, "state", member.State);
        if (member.Kind == MemberKind.Proxy)
        {
            text.List(2, "listen", member.Listen);
            text.Comment(2, "Requests wait this long for a primary, and this many at most.");
            text.Pair(2, "hold-for", Durations.Format(member.HoldFor));
            text.Pair(2, "hold-requests", Number(member.HoldRequests));
            if (member.HoldBytes != MemberConfig.DefaultHoldBytes)
            {
                text.Pair(2, "hold-bytes", Sizes.Format(member.HoldBytes));
            }

            FrontConfig.Write(text, member.Front);
        }

        if (member.Kind == MemberKind.Node)
        {
            text.Pair(2, "app-ports", $"{Number(member.AppPorts.First)}-{Number(member.AppPorts.Last)}");
        }
    }

    private static void WriteSite(Text text, SiteConfig site)
    {
        text.Line(1, $"{Text.Quote(site.Name)}:");
        text.Comment(2, "The node that is primary the first time; afterwards the cluster knows.");
        text.Pair(2, "primary", site.Primary);
        text.List(2, "nodes", site.Nodes);
        text.Comment(2, "Their majority appoints the primary; three at least for automatic failover.");
        text.List(2, "voters", site.Voters);
        text.Pair(2, "automatic-failover", site.AutomaticFailover ? "true" : "false");
        text.Line(2, "files:");
        text.Pair(3, "root", site.Files.Root);
        text.List(3, "exclude", site.Files.Exclude);
        text.Pair(3, "debounce", Durations.Format(site.Files.Debounce));
        text.Pair(3, "every", Durations.Format(site.Files.Every));
        text.Pair(3, "mass-delete", $"{Number((int)Math.Round(site.Files.MassDelete * 100))}%");
        if (site.Files.Marker is { } marker)
        {
            text.Pair(3, "marker", marker);
        }

        if (site.Files.ReadFrom is { } snapshot)
        {
            text.Pair(3, "read-from", snapshot);
        }

        text.Pair(3, "sweep", Durations.Format(site.Files.Sweep));
        if (site.Files.Logs is { } logs)
        {
            text.Comment(3, "Files that are only appended to; their bytes are captured once, as they come.");
            text.Line(3, "logs:");
            text.List(4, "patterns", logs.Patterns);
            text.Pair(4, "keep", Durations.Format(logs.Keep));
            text.Pair(4, "empty", logs.Empty ? "true" : "false");
            text.Pair(4, "empty-from", Sizes.Format(logs.EmptyFrom));
            text.Pair(4, "empty-after", Durations.Format(logs.EmptyAfter));
        }

        WriteCapture(text, site.Capture);
        WriteReplication(text, site.Replication);
        FailoverConfig.Write(text, site.Failover);
        DurabilityConfig.Write(text, site.Durability);
        if (site.Databases.Count > 0)
        {
            text.Line(2, "databases:");
        }

        foreach (var database in site.Databases)
        {
            text.Line(3, $"{Text.Quote(database.Name)}:");
            DatabaseSection.Write(text, 4, database);
        }

        if (site.Hooks is { } hooks)
        {
            text.Comment(2, "Around each capture; what is after is run in any case.");
            text.Line(2, "hooks:");
            text.List(3, "before", hooks.Before);
            text.List(3, "after", hooks.After);
            text.Pair(3, "within", Durations.Format(hooks.Within));
        }

        if (site.Apps.Count > 0)
        {
            text.Line(2, "apps:");
        }

        foreach (var app in site.Apps)
        {
            WriteApp(text, app);
        }

        if (site.Retention is { } retention)
        {
            WriteRetention(text, retention);
        }

        text.List(2, "hosts", site.Hosts);
        text.Comment(2, "Replicas answer reads under these names.");
        text.List(2, "mirror-hosts", site.MirrorHosts);
        if (site.MirrorLag > TimeSpan.Zero)
        {
            text.Pair(2, "mirror-lag", Durations.Format(site.MirrorLag));
        }
    }

    private static void WriteCapture(Text text, CaptureConfig capture)
    {
        // Lists are compared by their content, which a record does not do.
        if (capture with { NotBetween = CaptureConfig.Default.NotBetween } == CaptureConfig.Default && capture.NotBetween.Count == 0)
        {
            return;
        }

        text.Comment(2, "When captures start, besides those that somebody asks for.");
        text.Line(2, "capture:");
        text.Pair(3, "on-change", capture.OnChange ? "true" : "false");
        if (capture.Every > TimeSpan.Zero)
        {
            text.Pair(3, "every", Durations.Format(capture.Every));
        }

        if (capture.Cron is { } cron)
        {
            text.Pair(3, "cron", cron);
        }

        text.Pair(3, "time-zone", capture.TimeZone);
        text.List(3, "not-between", [.. capture.NotBetween.Select(window => window.ToString())]);
        text.Pair(3, "nice", Number(capture.Nice));
        text.Pair(3, "io", capture.Io.ToString().ToLowerInvariant());
    }

    private static void WriteReplication(Text text, ReplicationConfig replication)
    {
        if (replication.Bandwidth == 0 && replication.Exempt.Count == 0)
        {
            return;
        }

        text.Line(2, "replication:");
        if (replication.Bandwidth > 0)
        {
            text.Comment(3, "Bytes a second that a node sends for this site, all streams together.");
            text.Pair(3, "bandwidth", Sizes.Format(replication.Bandwidth));
        }

        text.List(3, "exempt", replication.Exempt);
    }

    private static void WriteRetention(Text text, RetentionConfig retention)
    {
        text.Comment(2, "Which versions each node keeps, by its own clock.");
        text.Line(2, "retention:");
        foreach (var (key, count) in new[]
        {
            ("keep-last", retention.KeepLast), ("keep-hourly", retention.KeepHourly), ("keep-daily", retention.KeepDaily),
            ("keep-weekly", retention.KeepWeekly), ("keep-monthly", retention.KeepMonthly), ("keep-yearly", retention.KeepYearly),
        })
        {
            if (count > 0)
            {
                text.Pair(3, key, Number(count));
            }
        }

        if (retention.KeepWithin > TimeSpan.Zero)
        {
            text.Pair(3, "keep-within", Durations.Format(retention.KeepWithin));
        }

        if (retention.Budget > 0)
        {
            text.Pair(3, "budget", Sizes.Format(retention.Budget));
        }

        text.Pair(3, "every", Durations.Format(retention.Every));
        if (retention.HasKeyFrames)
        {
            text.Line(3, "key-frames:");
            text.Pair(4, "every", Number(retention.KeyFrameEvery));
            text.Pair(4, "within", Durations.Format(retention.KeyFrameWithin));
        }
    }

    private static void WriteApp(Text text, AppConfig app)
    {
        text.Line(3, $"{Text.Quote(app.Name)}:");
        text.List(4, "command", app.Command);
        if (app.Environment.Count > 0)
        {
            text.Line(4, "environment:");
            foreach (var (name, value) in app.Environment)
            {
                text.Pair(5, name, value);
            }
        }

        text.Comment(4, "Answers 2xx when the app can serve.");
        text.Pair(4, "health", app.Health);
        text.Pair(4, "start-within", Durations.Format(app.StartWithin));
        text.Pair(4, "stop-within", Durations.Format(app.StopWithin));
    }

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);

    internal sealed class Text
    {
        private readonly StringBuilder _text = new();

        public static string Quote(string value) => IsPlain(value) ? value : Escaped(value);

        public void Blank() => _text.Append('\n');

        public void Line(int depth, string line) => _text.Append(' ', depth * 2).Append(line).Append('\n');

        public void Comment(int depth, string comment) => Line(depth, "# " + comment);

        public void Pair(int depth, string key, string value) => Line(depth, $"{Quote(key)}: {Quote(value)}");

        public void List(int depth, string key, IReadOnlyList<string> values) => Line(depth, $"{key}: [{string.Join(", ", values.Select(Quote))}]");

        public override string ToString() => _text.ToString();

        // Plain only where no reader of YAML could see anything but a text: everything else is quoted.
        private static bool IsPlain(string value) =>
            value.Length > 0
            && (char.IsAsciiLetterOrDigit(value[0]) || value[0] == '/')
            && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '.' or '_' or '-')
            && value is not ("null" or "Null" or "NULL");

        private static string Escaped(string value)
        {
            var escaped = new StringBuilder("\"");
            foreach (var c in value)
            {
                _ = c switch
                {
                    '"' => escaped.Append("\\\""),
                    '\\' => escaped.Append("\\\\"),
                    '\n' => escaped.Append("\\n"),
                    '\t' => escaped.Append("\\t"),
                    < ' ' or '\x7f' or '\x85' or '\u2028' or '\u2029' or '\ufeff' => escaped.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                    _ => escaped.Append(c),
                };
            }

            return escaped.Append('"').ToString();
        }
    }
}
