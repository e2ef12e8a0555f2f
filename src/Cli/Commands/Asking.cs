using System.CommandLine;
using Grpc.Net.Client;
using Mirror.Cli.Output;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;
using Mirror.Node.Wire;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands;

/// <summary>A command that asks a running process: by its control socket when it is on this machine, else over mTLS with the admin's certificate.</summary>
internal sealed class Asking : IDisposable
{
    private readonly MemberIdentity? identity;

    private Asking(MirrorConfig config, string member, GrpcChannel channel, MemberIdentity? identity)
    {
        Config = config;
        Member = member;
        this.identity = identity;
        Channel = channel;
        Client = new Control.ControlClient(channel);
    }

    public MirrorConfig Config { get; }

    public string Member { get; }

    public GrpcChannel Channel { get; }

    public Control.ControlClient Client { get; }

    /// <param name="member">The member to ask; null for any that runs on this machine.</param>
    public static Asking Open(string? configFile, string? member, Func<MemberConfig, bool>? suits = null)
    {
        member ??= ClusterOptions.FromEnvironment("MIRROR_NODE");
        var config = ClusterOptions.Load(configFile, member);
        if (member is null)
        {
            var local = ClusterOptions.Load(configFile, null).Members.Keys
                .Select(name => ClusterOptions.Load(configFile, name).Members[name])
                .Where(candidate => suits?.Invoke(candidate) ?? true)
                .FirstOrDefault(candidate => LocalChannel.Answers(candidate.ControlSocket))
                ?? throw new NotRunningException(
                    "no process of this cluster answers on this machine. Start one (`mirror node …`), or name one elsewhere with --node and the admin's certificate in the pki directory.");
            return new Asking(ClusterOptions.Load(configFile, local.Name), local.Name, LocalChannel.Open(local.ControlSocket), null);
        }

        var found = config.Members[member];
        if (LocalChannel.Answers(found.ControlSocket))
        {
            return new Asking(config, member, LocalChannel.Open(found.ControlSocket), null);
        }

        if (!File.Exists(Path.Combine(config.Cluster.Pki, "admin.crt")))
        {
            throw new NotRunningException(
                $"{member} does not answer on {found.ControlSocket}, and there is no admin certificate in {config.Cluster.Pki} to ask it over the network. Start it with `mirror {found.Kind.ToString().ToLowerInvariant()} --node {member}`.");
        }

        var identity = MemberIdentity.Load(config.Cluster.Pki, "admin", TimeProvider.System);
        return new Asking(config, member, PeerChannels.Open(found, identity), identity);
    }

    public void Dispose()
    {
        Channel.Dispose();
        identity?.Dispose();
    }

    public static VersionPosition ToWire(VersionId id) => new() { Epoch = id.Epoch, Sequence = id.Sequence };

    public static VersionId ToId(VersionPosition? position) => position is null ? default : new VersionId(position.Epoch, position.Sequence);

    public static VersionId ParseVersion(string text) => VersionId.TryParse(text, out var id)
        ? id
        : throw new CommandException($"\"{text}\" is no version; versions look like 3.127 (`mirror versions` lists them).", ExitCode.Usage);
}
