using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Diagnosis;
using Mirror.Node.Identity;
using Mirror.Node.Listening;
using Mirror.Node.Tests.Configuration;
using Mirror.Node.Tests.Listening;

namespace Mirror.Node.Tests.Diagnosis;

public sealed class CheckupTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("mirror-doctor-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly int _port = TestServer.FreePort();
    private readonly int _clusterPort = TestServer.FreePort();

    public CheckupTests()
    {
        Directory.CreateDirectory(Path.Combine(_directory, "site"));
        CertificateAuthority.Create(Path.Combine(_directory, "pki"), "example", _time);
        CertificateAuthority.Issue(Path.Combine(_directory, "pki"), "alpha", "node", ["127.0.0.1"], _time);
        File.Delete(Path.Combine(_directory, "pki", "ca.key"));
        WriteConfig();
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_machine_that_is_ready_has_no_failure_and_keeps_no_trace()
    {
        var before = Directory.GetFileSystemEntries(_directory, "*", SearchOption.AllDirectories).Order().ToList();
        var checks = await RunAsync();

        Assert.DoesNotContain(checks, check => check.Result == CheckResult.Failed);
        foreach (var name in new[] { "config", "pki", "ports", "state", "space", "root wiki", "programs" })
        {
            Assert.Contains(checks, check => check.Name == name && check.Result == CheckResult.Ok);
        }

        Assert.All(checks, check => Assert.Equal(check.Result == CheckResult.Ok, check.Remedy.Length == 0));
        Assert.Equal(before, Directory.GetFileSystemEntries(_directory, "*", SearchOption.AllDirectories).Order());
    }

    [Fact]
    public async Task A_faulty_configuration_is_all_there_is_to_say()
    {
        WriteConfig(extra: "    colour: red");
        var check = Assert.Single(await RunAsync());
        Assert.Equal(("config", CheckResult.Failed), (check.Name, check.Result));
        Assert.Contains("colour", check.What);
    }

    [Fact]
    public async Task Certificates_are_warned_about_a_month_before_they_end()
    {
        _time.SetUtcNow(new DateTimeOffset(2034, 12, 10, 0, 0, 0, TimeSpan.Zero));
        Assert.Contains(await RunAsync(), check => check is { Name: "pki", Result: CheckResult.Warning } && check.What.Contains("expires in 22 days", StringComparison.Ordinal));
        _time.SetUtcNow(new DateTimeOffset(2035, 1, 2, 0, 0, 0, TimeSpan.Zero));
        Assert.Contains(await RunAsync(), check => check is { Name: "pki", Result: CheckResult.Failed } && check.What.Contains("expired", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_key_that_others_can_read_is_warned_about()
    {
        File.SetUnixFileMode(Path.Combine(_directory, "pki", "alpha.key"), UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.Contains(await RunAsync(), check => check is { Name: "pki", Result: CheckResult.Warning } && check.Remedy.Contains("chmod 600", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_taken_port_fails_and_those_of_a_running_member_do_not()
    {
        using var taken = new TcpListener(IPAddress.Loopback, _clusterPort);
        taken.Start();
        var failed = Assert.Single(await RunAsync(), check => check.Result == CheckResult.Failed);
        Assert.Contains("(cluster-port): another process uses the port", failed.What);

        await using var running = await TestServer.StartAsync(builder => builder.ListenForControl(Path.Combine(_directory, "state", "control.sock")));
        Assert.Contains(await RunAsync(), check => check.Name == "ports" && check.What.Contains("is running here already", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Missing_programs_of_a_database_fail()
    {
        var failed = (await RunAsync(_ => null)).Where(check => check.Result == CheckResult.Failed).ToList();
        Assert.Equal(4, failed.Count);
        Assert.All(failed, check => Assert.Contains("postgresql-client", check.Remedy));
    }

    [Fact]
    public async Task A_first_primary_without_its_files_fails()
    {
        Directory.Delete(Path.Combine(_directory, "site"));
        var failed = Assert.Single(await RunAsync(), check => check.Result == CheckResult.Failed);
        Assert.Contains("does not exist, and alpha is to be the site's first primary", failed.What);
    }

    [Fact]
    public async Task A_root_on_another_mount_than_the_state_fails()
    {
        WriteConfig(root: "/proc");
        Assert.Contains(await RunAsync(), check => check is { Name: "root wiki", Result: CheckResult.Failed } && check.What.Contains("on the mount /proc", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_state_that_cannot_be_written_fails()
    {
        WriteConfig(state: "/proc/mirror");
        Assert.Contains(await RunAsync(), check => check is { Name: "state", Result: CheckResult.Failed });
    }

    [Fact]
    public async Task Without_a_member_the_machine_is_not_looked_at()
    {
        var checks = await new Checkup(_time, Found).RunAsync(Path.Combine(_directory, "mirror.yaml"), null, Sample.NoEnvironment, default);
        Assert.DoesNotContain(checks, check => check.Name is "state" or "ports" or "pki");
        Assert.Contains(checks, check => check.Name == "member");
    }

    [Theory]
    [InlineData("/srv/wiki", "/srv")]
    [InlineData("/srv", "/srv")]
    [InlineData("/srv2/wiki", "/")]
    [InlineData("/mnt/my disk/x", "/mnt/my disk")]
    public void A_path_belongs_to_the_deepest_mount_above_it(string path, string mount)
    {
        const string table = """
            22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
            23 22 8:2 / /srv rw,relatime shared:1 - ext4 /dev/sda2 rw
            24 22 8:3 / /mnt/my\040disk rw - ext4 /dev/sda3 rw
            """;
        Assert.Equal(mount, MountTable.Parse(table).Of(path));
    }

    private static string? Found(string program) => "/usr/bin/" + program;

    private Task<IReadOnlyList<Check>> RunAsync(Func<string, string?>? find = null) =>
        new Checkup(_time, find ?? Found).RunAsync(Path.Combine(_directory, "mirror.yaml"), "alpha", Sample.NoEnvironment, default);

    private void WriteConfig(string? root = null, string? state = null, string extra = "") => File.WriteAllText(Path.Combine(_directory, "mirror.yaml"), $$"""
        cluster: { name: example, pki: {{_directory}}/pki }
        nodes:
          alpha: { address: 127.0.0.1, grpc-port: {{_port}}, cluster-port: {{_clusterPort}}, state: {{state ?? _directory + "/state"}} }
        witnesses:
          w1: { address: 10.0.0.1 }
          w2: { address: 10.0.0.2 }
        sites:
          wiki:
            primary: alpha
            nodes: [alpha]
            files: { root: {{root ?? _directory + "/site"}} }
            databases: { shop: { postgres: "Host=localhost;Database=shop" } }
        {{extra}}
        """);
}
