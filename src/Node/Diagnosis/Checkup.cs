using Mirror.Node.Configuration;
using Mirror.Node.Identity;

namespace Mirror.Node.Diagnosis;

public enum CheckResult
{
    Ok,
    Warning,
    Failed,
}

/// <summary>One thing looked at by <c>mirror doctor</c>.</summary>
/// <param name="Name">Short and stable, e.g. <c>pki</c>, <c>port grpc-port</c>, <c>root wiki</c>.</param>
/// <param name="What">One sentence: what was found.</param>
/// <param name="Remedy">What to do; empty when all is well.</param>
public sealed record Check(string Name, CheckResult Result, string What, string Remedy);

/// <summary>
/// Looks at a machine before it has to hold a site: everything that would make a node fail later, found at once and without changing anything. Probe files are
/// made where Mirror will work and removed again, in Consul too; a process that already runs is left in peace.
/// </summary>
/// <param name="findProgram">Full path of a program such as pg_dump, or null.</param>
public sealed class Checkup(TimeProvider time, Func<string, string?> findProgram)
{
    private static readonly TimeSpan ExpiresSoon = TimeSpan.FromDays(30);
    private static readonly (DatabaseKind Kind, string Called, string[] Programs, string Remedy)[] ClientPrograms =
    [
        (DatabaseKind.Postgres, "PostgreSQL", ["pg_dump", "pg_dumpall", "pg_restore", "psql"],
            "Install the PostgreSQL client of the server's major version or newer (Debian: apt-get install postgresql-client)."),
        (DatabaseKind.MariaDb, "MariaDB", ["mariadb-dump", "mariadb"],
            "Install the MariaDB client of the server's version or newer (Debian: apt-get install mariadb-client)."),
    ];

    /// <param name="member">The member this machine is; null: only what concerns no machine.</param>
    public async Task<IReadOnlyList<Check>> RunAsync(string configPath, string? member, IReadOnlyDictionary<string, string> environment, CancellationToken cancellation)
    {
        MirrorConfig config;
        try
        {
            config = ConfigFile.Load(configPath, member, environment);
        }
        catch (ConfigException exception)
        {
            return [.. exception.Faults.Select(fault => new Check("config", CheckResult.Failed, $"{fault.Where}: {fault.Key}: {fault.What}", fault.Remedy))];
        }

        var checks = new List<Check>
        {
            Ok("config", $"{configPath} is valid: {Count(config.Members.Count, "member")}, {Count(config.Sites.Count, "site")}."),
        };
        checks.AddRange(config.Warnings.Select(warning => new Check("config", CheckResult.Warning, $"{warning.Where}: {warning.Key}: {warning.What}", warning.Remedy)));
        checks.AddRange(await new NetworkChecks(config, time).NamesAsync(cancellation));
        if (member is null)
        {
            checks.Add(new Check("member", CheckResult.Warning, "This machine was not looked at: no member was named.", "Name the member that runs here."));
            return checks;
        }

        var self = config.Members[member];
        checks.AddRange(Identity(config.Cluster.Pki, member));
        checks.AddRange(NetworkChecks.Ports(self));
        checks.AddRange(new FrontChecks(config, time).Of(self));
        checks.AddRange(DiskChecks.State(self));
        foreach (var site in config.Sites.Values.Where(site => site.Nodes.Contains(member)))
        {
            checks.AddRange(DiskChecks.Root(self, site));
        }

        checks.AddRange(Programs(config, member));
        if (config.Cluster.Consul is { } consul)
        {
            var held = config.Sites.Values.Where(site => site.Nodes.Contains(member)).Select(static site => site.Name).ToList();
            checks.AddRange(await new ConsulChecks(consul, config.Cluster.Name, time).RunAsync(held, cancellation));
        }

        checks.Add(Privileges(self));
        return checks;
    }

    internal static Check Ok(string name, string what) => new(name, CheckResult.Ok, what, "");

    private IEnumerable<Check> Identity(string pki, string member)
    {
        MemberIdentity identity;
        try
        {
            identity = MemberIdentity.Load(pki, member, time);
        }
        catch (IdentityException exception)
        {
            return [new Check("pki", CheckResult.Failed, exception.What, exception.Remedy)];
        }

        using (identity)
        {
            var checks = new List<Check>();
            foreach (var (name, certificate) in new[] { (member, identity.Certificate), ("ca", identity.Authority) })
            {
                var end = new DateTimeOffset(certificate.NotAfter);
                var left = end - time.GetUtcNow();
                checks.Add(left < ExpiresSoon
                    ? new Check("pki", CheckResult.Warning, $"{PemFiles.CertificatePath(pki, name)} expires in {left.Days} days, at {end.UtcDateTime:u}.", PemFiles.Remedy(name))
                    : Ok("pki", $"{PemFiles.CertificatePath(pki, name)} is good until {end.UtcDateTime:yyyy-MM-dd}."));
            }

            checks.AddRange(Keys(pki, member));
            return checks;
        }
    }

    private static IEnumerable<Check> Keys(string pki, string member)
    {
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        var key = PemFiles.KeyPath(pki, member);
        if ((File.GetUnixFileMode(key) & others) != 0)
        {
            yield return new Check("pki", CheckResult.Warning, $"{key} may be read or written by others.", $"Run `chmod 600 {key}`; if others were on this machine, issue a new pair.");
        }

        if (File.Exists(PemFiles.KeyPath(pki, "ca")))
        {
            yield return new Check(
                "pki", CheckResult.Warning, $"{PemFiles.KeyPath(pki, "ca")} lies on this machine: who takes it can make members.",
                "When all certificates are issued, keep it offline, or on one machine that readers do not reach.");
        }
    }

    private IEnumerable<Check> Programs(MirrorConfig config, string member)
    {
        foreach (var (kind, called, programs, remedy) in ClientPrograms)
        {
            var users = config.Sites.Values.Where(site => site.Nodes.Contains(member) && site.Databases.Any(database => database.Kind == kind)).ToList();
            foreach (var program in users.Count > 0 ? programs : [])
            {
                yield return findProgram(program) is { } path
                    ? Ok("programs", $"{program} is {path}.")
                    : new Check("programs", CheckResult.Failed, $"{program} is not installed; site {users[0].Name} has a {called} database.", remedy);
            }
        }
    }

    private static Check Privileges(MemberConfig self) =>
        Environment.IsPrivilegedProcess ? Ok("privileges", "Running as root.")
        : self.Kind == MemberKind.Node ? new Check(
            "privileges", CheckResult.Warning,
            "Not running as root: owners and groups of files cannot be restored, device files neither, and apps on a standby are not kept from writing into its files.",
            "Run mirror as root on nodes; or be content when one user owns all files of the site.")
        : Ok("privileges", "Not running as root, which this kind of member does not need.");

    private static string Count(int number, string noun) => number == 1 ? $"1 {noun}" : $"{number} {noun}s";
}
