namespace Mirror.Node.Configuration;

/// <summary>mirror.yaml after validation: immutable, the same on all nodes. <c>{node}</c> in paths has been replaced by the name of the node it is read for.</summary>
public sealed record MirrorConfig
{
    public required ClusterConfig Cluster { get; init; }
    public required IReadOnlyDictionary<string, MemberConfig> Members { get; init; }
    public required IReadOnlyDictionary<string, SiteConfig> Sites { get; init; }

    /// <summary>What is allowed, but probably not wanted: too few voters for automatic failover, an app that never hears its port.</summary>
    public IReadOnlyList<ConfigFault> Warnings { get; init; } = [];
}

/// <param name="Lease">Time a primary may write after a majority of voters renewed its lease; default 4 s, at least 1 s.</param>
/// <param name="Pki">Directory with ca.crt and, per member, NAME.crt and NAME.key.</param>
public sealed record ClusterConfig(string Name, TimeSpan Lease, string Pki)
{
    public NetworkProfile Profile { get; init; }

    /// <summary>Null: nothing is asked of Consul.</summary>
    public ConsulConfig? Consul { get; init; }

    /// <summary>Locks in Consul decide who is primary, and no votes.</summary>
    public bool HasArbiter => Consul is { Arbiter: true };
}

public enum MemberKind
{
    Node,
    Proxy,
    Witness,
}

/// <summary>A process of the cluster: node, proxy or witness. Every member listens for gRPC (mTLS) and for cluster gossip (mTLS).</summary>
/// <param name="Address">Host name or IP the others reach it by.</param>
/// <param name="State">Directory for all it keeps.</param>
/// <param name="Listen">Proxies: addresses readers reach, e.g. <c>http://0.0.0.0:80</c>, <c>https://0.0.0.0:443</c>. Empty otherwise.</param>
/// <param name="HoldFor">Proxies: how long a request may wait for a primary; default 30 s.</param>
/// <param name="HoldRequests">Proxies: how many requests may wait at once; default 1,000.</param>
/// <param name="AppPorts">Nodes: range of ports handed to apps.</param>
public sealed record MemberConfig(
    string Name, MemberKind Kind, string Address, int GrpcPort, int ClusterPort, string State,
    IReadOnlyList<string> Listen, TimeSpan HoldFor, int HoldRequests, PortRange AppPorts)
{
    /// <summary>Proxies: bytes of request bodies that are kept at once, in memory and in files of the state directory; default 1 GiB.</summary>
    public long HoldBytes { get; init; } = DefaultHoldBytes;

    /// <summary>Proxies: TLS, headers, log.</summary>
    public FrontConfig Front { get; init; } = FrontConfig.Default;

    internal const long DefaultHoldBytes = 1L << 30;

    /// <summary>The Unix socket the command line speaks to.</summary>
    public string ControlSocket => Path.Combine(State, "control.sock");
}

public readonly record struct PortRange(int First, int Last);

/// <param name="Primary">Node that starts as primary of epoch 1.</param>
/// <param name="Nodes">All nodes that hold the site, the primary included, in order of preference.</param>
/// <param name="Voters">Members whose majority appoints the primary: the site's nodes and all witnesses, unless listed.</param>
/// <param name="Hosts">Host names under which the primary's app is served. <c>*</c> for any other name.</param>
/// <param name="MirrorHosts">Host names under which replicas' warm apps answer reads.</param>
/// <param name="AutomaticFailover">False, or fewer than three voters: only <c>mirror promote</c> moves the site.</param>
public sealed record SiteConfig(
    string Name, string Primary, IReadOnlyList<string> Nodes, IReadOnlyList<string> Voters,
    FilesConfig Files, IReadOnlyList<DatabaseConfig> Databases, IReadOnlyList<AppConfig> Apps,
    IReadOnlyList<string> Hosts, IReadOnlyList<string> MirrorHosts, bool AutomaticFailover)
{
    /// <summary>When captures start, besides those that somebody asks for.</summary>
    public CaptureConfig Capture { get; init; } = CaptureConfig.Default;

    public ReplicationConfig Replication { get; init; } = ReplicationConfig.Default;

    /// <summary>What holds automatic failover back.</summary>
    public FailoverConfig Failover { get; init; } = FailoverConfig.Default;

    /// <summary>What the answer to a change waits for.</summary>
    public DurabilityConfig Durability { get; init; } = DurabilityConfig.Default;

    /// <summary>What each node keeps of the history, by its own clock; null: everything.</summary>
    public RetentionConfig? Retention { get; init; }

    /// <summary>What is run around each capture; null: nothing.</summary>
    public HooksConfig? Hooks { get; init; }

    /// <summary>Replicas that lag more do not answer for <see cref="MirrorHosts"/>; zero: any may.</summary>
    public TimeSpan MirrorLag { get; init; }
}

/// <summary>Commands around each capture, to freeze or to snapshot what is captured. <paramref name="After"/> is run whatever became of <paramref name="Before"/> and of the capture.</summary>
/// <param name="Within">How long each may take; default 1 min.</param>
public sealed record HooksConfig(IReadOnlyList<string> Before, IReadOnlyList<string> After, TimeSpan Within);

/// <summary>Which versions a node keeps (the names and the meaning are restic's); a rule that is 0 keeps nothing by itself.</summary>
/// <param name="Budget">Bytes the history may take on a node; 0 for no limit.</param>
/// <param name="Every">How often the rules are applied; default 1 h.</param>
/// <param name="KeyFrameEvery">A key frame after so many versions; 0 for none.</param>
/// <param name="KeyFrameWithin">A key frame when the last one is so much older than the newest version; 0 for none.</param>
public sealed record RetentionConfig(
    int KeepLast, TimeSpan KeepWithin, int KeepHourly, int KeepDaily, int KeepWeekly, int KeepMonthly, int KeepYearly,
    long Budget, TimeSpan Every, int KeyFrameEvery, TimeSpan KeyFrameWithin)
{
    /// <summary>There is a rule or a budget: something decides which versions go.</summary>
    public bool Drops => KeepsByTime || KeepLast > 0 || Budget > 0;

    internal bool KeepsByTime => KeepWithin > TimeSpan.Zero || KeepHourly > 0 || KeepDaily > 0 || KeepWeekly > 0 || KeepMonthly > 0 || KeepYearly > 0;

    internal bool HasKeyFrames => KeyFrameEvery > 0 || KeyFrameWithin > TimeSpan.Zero;
}

/// <param name="Root">Absolute path of the site's files.</param>
/// <param name="Exclude">Patterns in gitignore's syntax (<c>cache/</c>); what they match is neither captured nor deleted.</param>
/// <param name="Debounce">Quiet time after a change before a capture; default 200 ms.</param>
/// <param name="Every">Longest time between captures that look at everything; default 5 min.</param>
public sealed record FilesConfig(string Root, IReadOnlyList<string> Exclude, TimeSpan Debounce, TimeSpan Every)
{
    /// <summary>When more than this share of the entries is gone at once, a capture stops and asks.</summary>
    public double MassDelete { get; init; } = DefaultMassDelete;

    /// <summary>A path below the root that must be there, or the root is an empty mount point; null when nothing tells.</summary>
    public string? Marker { get; init; }

    /// <summary>Where the hook <c>before</c> shows a snapshot of the root, which is captured instead of it; null: the root is.</summary>
    public string? ReadFrom { get; init; }

    /// <summary>Every captured file is read and compared once in this time; zero: never.</summary>
    public TimeSpan Sweep { get; init; } = DefaultSweep;

    /// <summary>Append-only logs; null when there are none.</summary>
    public LogsConfig? Logs { get; init; }

    internal const double DefaultMassDelete = 0.5;
    internal static readonly TimeSpan DefaultSweep = TimeSpan.FromDays(30);
}

/// <param name="Patterns">As in <see cref="FilesConfig.Exclude"/>: files that are only appended to.</param>
/// <param name="Keep">How long bytes stay in new versions after they left the log; default 30 days.</param>
/// <param name="Empty">The logs are emptied of what a consistent version has; default false.</param>
/// <param name="EmptyFrom">Not before so many bytes can go; default 1 MiB.</param>
/// <param name="EmptyAfter">Not before a byte was captured for so long; default 0.</param>
public sealed record LogsConfig(IReadOnlyList<string> Patterns, TimeSpan Keep, bool Empty, long EmptyFrom, TimeSpan EmptyAfter);

/// <param name="Command">Program and arguments; <c>{port} {address} {root} {slot} {role} {database:NAME}</c> are replaced, here and in the environment.</param>
/// <param name="Health">Path that answers 2xx when the app can serve, e.g. <c>/healthz</c>.</param>
/// <param name="StartWithin">Time to become healthy; default 30 s.</param>
/// <param name="StopWithin">Time to stop on SIGTERM before SIGKILL; default 5 s.</param>
public sealed record AppConfig(
    string Name, IReadOnlyList<string> Command, IReadOnlyDictionary<string, string> Environment,
    string Health, TimeSpan StartWithin, TimeSpan StopWithin);
