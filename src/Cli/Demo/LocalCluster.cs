using System.Net;
using System.Net.Sockets;
using Grpc.Net.Client;
using Mirror.Cli.Output;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;
using Mirror.Node.Wire;

namespace Mirror.Cli.Demo;

/// <summary>A cluster on loopback in one scratch directory, each member a process of its own: started, watched, killed and stopped from here.</summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    private readonly Func<string, IEnumerable<string>> program;
    private readonly Dictionary<string, LocalProcess> processes = [];
    private readonly Dictionary<string, GrpcChannel> channels = [];

    private LocalCluster(string directory, MirrorConfig config, Func<string, IEnumerable<string>> program)
    {
        Directory = directory;
        Config = config;
        this.program = program;
    }

    public string Directory { get; }

    /// <summary>As described; <c>{node}</c> in its paths is replaced when a member reads the file.</summary>
    public MirrorConfig Config { get; }

    /// <summary>What members find in their environments, by name: settings that are not the same for all.</summary>
    public Dictionary<string, IReadOnlyDictionary<string, string>> Environments { get; } = [];

    public string ConfigFile => Path.Combine(Directory, "mirror.yaml");

    /// <summary>Writes the configuration, a CA and all certificates. Starts nothing yet.</summary>
    /// <param name="program">The mirror executable.</param>
    public static Task<LocalCluster> PrepareAsync(string directory, MirrorConfig config, string program, CancellationToken cancellation) =>
        PrepareAsync(directory, config, _ => [program], cancellation);

    /// <param name="program">The mirror executable of a member, and what stands before it.</param>
    public static async Task<LocalCluster> PrepareAsync(string directory, MirrorConfig config, Func<string, IEnumerable<string>> program, CancellationToken cancellation)
    {
        var pki = config.Cluster.Pki;
        CertificateAuthority.Create(pki, config.Cluster.Name, TimeProvider.System);
        foreach (var member in config.Members.Values)
        {
            CertificateAuthority.Issue(pki, member.Name, member.Kind.ToString().ToLowerInvariant(), [member.Address, "localhost"], TimeProvider.System);
        }

        CertificateAuthority.Issue(pki, "admin", "admin", ["localhost"], TimeProvider.System);
        var cluster = new LocalCluster(directory, config, program);
        await File.WriteAllTextAsync(cluster.ConfigFile, ConfigWriter.Write(config), cancellation);
        return cluster;
    }

    public string LogOf(string member) => Path.Combine(Directory, member, "mirror.log");

    public void Start(string member)
    {
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(LogOf(member))!);
        var verb = Config.Members[member].Kind.ToString().ToLowerInvariant();
        processes[member] = LocalProcess.Start(
            [.. program(member), verb, "--config", ConfigFile, "--node", member, "--stop-with-input"], LogOf(member), Environments.GetValueOrDefault(member));
    }

    /// <summary>The member's process is there, or was not killed by this object.</summary>
    public bool IsStarted(string member) => processes.ContainsKey(member);

    public int ProcessOf(string member) => processes[member].Id;

    public void StartAll()
    {
        foreach (var member in Config.Members.Keys)
        {
            Start(member);
        }
    }

    /// <summary>The cluster as a member sees it; null while that member does not answer.</summary>
    public async Task<ClusterStatus?> StatusAsync(string member, CancellationToken cancellation)
    {
        if (processes.TryGetValue(member, out var process) && process.HasExited)
        {
            throw new CommandException($"{member} ended by itself; the end of its log ({LogOf(member)}):\n{Tail(LogOf(member))}");
        }

        try
        {
            return await ControlOf(member).GetStatusAsync(new StatusRequest { OnlyHere = true }, deadline: Commands.Deadlines.In(TimeSpan.FromSeconds(2)), cancellationToken: cancellation);
        }
        catch (Exception failure) when (failure is Grpc.Core.RpcException or NotRunningException && !cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    public Control.ControlClient ControlOf(string member)
    {
        if (!channels.TryGetValue(member, out var channel))
        {
            channels[member] = channel = LocalChannel.Open(Config.Members[member].ControlSocket);
        }

        return new Control.ControlClient(channel);
    }

    /// <summary>Waits until a member sees the cluster as wanted.</summary>
    /// <exception cref="CommandException">Not within the time: with what was seen last.</exception>
    public async Task<ClusterStatus> UntilAsync(string member, string what, Func<ClusterStatus, bool> wanted, TimeSpan within, CancellationToken cancellation)
    {
        var time = TimeProvider.System;
        var began = time.GetTimestamp();
        ClusterStatus? seen = null;
        while (time.GetElapsedTime(began) < within)
        {
            seen = await StatusAsync(member, cancellation) ?? seen;
            if (seen is not null && wanted(seen))
            {
                return seen;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), time, cancellation);
        }

        var text = new StringWriter();
        if (seen is not null)
        {
            StatusText.Write(seen, text);
        }

        throw new CommandException($"{what}: not within {within.TotalSeconds:F0} s. Logs are under {Directory}. Last seen by {member}:\n{text}");
    }

    /// <summary>kill -9 of a node with its guard and its apps.</summary>
    public async Task MeltAsync(string node, IEnumerable<int> itsProcesses, CancellationToken cancellation)
    {
        await processes[node].MeltAsync(itsProcesses, cancellation);
        await processes[node].DisposeAsync();
        processes.Remove(node);
        if (channels.Remove(node, out var channel))
        {
            channel.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var channel in channels.Values)
        {
            channel.Dispose();
        }

        // The proxy first, so that it does not complain of nodes that stop; then the nodes at once.
        foreach (var front in Config.Members.Values.Where(member => member.Kind == MemberKind.Proxy))
        {
            if (processes.Remove(front.Name, out var process))
            {
                await process.DisposeAsync();
            }
        }

        await Task.WhenAll(processes.Values.Select(process => process.DisposeAsync().AsTask()));
        processes.Clear();
    }

    // Held together until all are chosen, so that no port is chosen twice.
    public static int[] FreePorts(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(listener => listener.Start());
        var ports = listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port).ToArray();
        listeners.ForEach(listener => listener.Dispose());
        return ports;
    }

    public static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static string Tail(string log) => File.Exists(log) ? string.Join('\n', File.ReadLines(log).TakeLast(15)) : "(it wrote nothing)";
}
