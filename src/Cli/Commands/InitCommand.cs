using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;

namespace Mirror.Cli.Commands;

/// <summary>
/// <c>mirror init</c>: a configuration to go on with, the cluster's own CA, and a certificate for every member and the admin. Run again after members were added to
/// the file, it issues what is missing and touches nothing else.
/// </summary>
internal static class InitCommand
{
    private const int grpcPort = 7400;
    private const int clusterPort = 7401;

    public static Command Create()
    {
        var directory = new Argument<string>("directory") { Description = "Where mirror.yaml and pki/ go, e.g. /etc/mirror." };
        var cluster = new Option<string>("--cluster") { Description = "The cluster's name.", DefaultValueFactory = _ => "mirror" };
        var nodes = Members("--member", "A node that holds sites, as NAME=ADDRESS; give three or more, or two and a witness. The first is the primary to begin with.");
        var proxies = Members("--proxy", "A proxy, as NAME=ADDRESS.");
        var witnesses = Members("--witness", "A witness (votes, holds nothing), as NAME=ADDRESS.");
        var site = new Option<string>("--site") { Description = "Name of the first site.", DefaultValueFactory = _ => "site" };
        var root = new Option<string>("--root") { Description = "The site's files.", DefaultValueFactory = _ => "/srv/site" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only print the configuration, or name the certificates, that would be written." };
        var command = new Command(
            "init",
            "Write a configuration, a certificate authority and certificates.\n\nExample: mirror init /etc/mirror --member alpha=10.0.0.1 --member beta=10.0.0.2 --member gamma=10.0.0.3 --proxy front=10.0.0.9 --site wiki --root /srv/wiki\nThen copy mirror.yaml, ca.crt and each member's own NAME.crt and NAME.key to its machine; ca.key stays here.")
        {
            directory, cluster, nodes, proxies, witnesses, site, root, dryRun,
        };
        command.SetRun((parsed, shown, _) =>
        {
            var target = Path.GetFullPath(parsed.GetValue(directory)!);
            var file = Path.Combine(target, "mirror.yaml");
            var pki = Path.Combine(target, "pki");
            var written = new List<string>();
            if (!File.Exists(file))
            {
                var config = Describe(
                    parsed.GetValue(cluster)!, pki, parsed.GetValue(nodes) ?? [], parsed.GetValue(proxies) ?? [], parsed.GetValue(witnesses) ?? [],
                    parsed.GetValue(site)!, parsed.GetValue(root)!);
                var text = ConfigWriter.Write(config);
                if (parsed.GetValue(dryRun))
                {
                    shown.Result(new Fields { ["ok"] = true, ["written"] = Array.Empty<string>(), ["config"] = text }, output => output.Write(text));
                    return Task.FromResult(ExitCode.Ok);
                }

                // Written beside and read back first: a name or an address that the rules refuse leaves nothing behind.
                var pending = file + ".new";
                Directory.CreateDirectory(target);
                File.WriteAllText(pending, text);
                try
                {
                    ConfigFile.Load(pending, null, new Dictionary<string, string>());
                }
                catch (ConfigException)
                {
                    File.Delete(pending);
                    throw;
                }

                File.Move(pending, file);
                written.Add(file);
            }

            else
            {
                shown.Say($"{file} is there already and is left as it is; edit it to add members or sites.");
            }

            var loaded = ConfigFile.Load(file, null, new Dictionary<string, string>());
            written.AddRange(Certify(loaded, parsed.GetValue(dryRun)));
            shown.Result(
                parsed.GetValue(dryRun)
                    ? new Fields { ["ok"] = true, ["missing"] = written, ["warnings"] = loaded.Warnings.Select(FaultText.ToJson) }
                    : new Fields { ["ok"] = true, ["written"] = written, ["warnings"] = loaded.Warnings.Select(FaultText.ToJson) },
                output =>
                {
                    foreach (var path in written)
                    {
                        output.WriteLine($"{(parsed.GetValue(dryRun) ? "would write" : "wrote")} {path}");
                    }

                    foreach (var warning in loaded.Warnings)
                    {
                        output.WriteLine($"note: {warning.Key}: {warning.What} {warning.Remedy}");
                    }

                    output.WriteLine(written.Count == 0 ? "everything is there already: the configuration, and a certificate for each member in it" : $"Next: edit {file}, then `mirror doctor --config {file}`.");
                });
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static Option<string[]> Members(string name, string description) => new(name) { Description = description, AllowMultipleArgumentsPerToken = false };

    private static List<string> Certify(MirrorConfig config, bool dryRun)
    {
        var pki = config.Cluster.Pki;
        var written = new List<string>();
        Make("ca", () => CertificateAuthority.Create(pki, config.Cluster.Name, TimeProvider.System));
        foreach (var member in config.Members.Values)
        {
            Make(member.Name, () => CertificateAuthority.Issue(pki, member.Name, member.Kind.ToString().ToLowerInvariant(), [member.Address], TimeProvider.System));
        }

        Make("admin", () => CertificateAuthority.Issue(pki, "admin", "admin", ["localhost"], TimeProvider.System));
        return written;

        void Make(string name, Action make)
        {
            var certificate = Path.Combine(pki, name + ".crt");
            if (File.Exists(certificate))
            {
                return;
            }

            if (!dryRun)
            {
                make();
            }

            written.Add(certificate);
        }
    }

    private static MirrorConfig Describe(string cluster, string pki, string[] nodes, string[] proxies, string[] witnesses, string site, string root)
    {
        if (nodes.Length == 0)
        {
            throw new CommandException("which servers? Name each with --member NAME=ADDRESS (for example --member alpha=10.0.0.1).", ExitCode.Usage);
        }

        var members = new Dictionary<string, MemberConfig>();
        Add(nodes, MemberKind.Node, "/var/lib/mirror", []);
        Add(proxies, MemberKind.Proxy, "/var/lib/mirror-proxy", ["http://0.0.0.0:80"]);
        Add(witnesses, MemberKind.Witness, "/var/lib/mirror-witness", []);
        var names = nodes.Select(node => node.Split('=')[0]).ToArray();
        string[] voters = [.. names, .. witnesses.Select(witness => witness.Split('=')[0])];
        return new MirrorConfig
        {
            Cluster = new ClusterConfig(cluster, TimeSpan.FromSeconds(4), pki),
            Members = members,
            Sites = new Dictionary<string, SiteConfig>
            {
                [site] = new(
                    site, names[0], names, voters, new FilesConfig(root, [], TimeSpan.FromMilliseconds(200), TimeSpan.FromMinutes(5)),
                    [], [], ["*"], [], voters.Length >= 3),
            },
        };

        void Add(string[] given, MemberKind kind, string state, IReadOnlyList<string> listen)
        {
            foreach (var pair in given)
            {
                if (pair.Split('=') is not [{ Length: > 0 } name, { Length: > 0 } address])
                {
                    throw new CommandException($"\"{pair}\" is not NAME=ADDRESS.", ExitCode.Usage);
                }

                members[name] = new MemberConfig(
                    name, kind, address, grpcPort, clusterPort, state, listen, TimeSpan.FromSeconds(30), 1000, new PortRange(20000, 20999));
            }
        }
    }
}
