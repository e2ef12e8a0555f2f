using System.Net;
using System.Net.Sockets;
using Mirror.Cli.Output;

namespace Mirror.Cli.Tests.Hosting;

/// <summary>What keeps a member from starting is one line with a remedy, and nothing of it is left running.</summary>
public sealed class MemberHostTests : IDisposable
{
    private readonly InitialCluster cluster = new();
    private readonly TcpListener taken = new(IPAddress.Loopback, 0);

    public MemberHostTests() => taken.Start();

    private int Taken => ((IPEndPoint)taken.LocalEndpoint).Port;

    public void Dispose()
    {
        taken.Dispose();
        cluster.Dispose();
    }

    [Fact]
    public async Task A_port_that_is_taken_is_named_with_its_key()
    {
        await cluster.InitHereAsync(Taken, FreePort.Next());

        var line = await RefusalAsync();

        Assert.Contains($"alpha cannot listen on 127.0.0.1:{Taken} (grpc-port): another process uses the port", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_gossip_port_that_is_taken_is_named_too()
    {
        await cluster.InitHereAsync(FreePort.Next(), Taken);

        Assert.Contains($"127.0.0.1:{Taken}", await RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_key_is_named_with_where_to_get_it()
    {
        await cluster.InitHereAsync(FreePort.Next(), FreePort.Next());
        File.Delete(Path.Combine(cluster.Pki, "alpha.key"));

        Assert.Contains("alpha.key is missing. Make it with `mirror init`", await RefusalAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_members_certificate_is_refused()
    {
        await cluster.InitHereAsync(FreePort.Next(), FreePort.Next());
        foreach (var file in new[] { "crt", "key" })
        {
            File.Copy(Path.Combine(cluster.Pki, $"beta.{file}"), Path.Combine(cluster.Pki, $"alpha.{file}"), overwrite: true);
        }

        Assert.Contains("belongs to 'beta', not to 'alpha'", await RefusalAsync(), StringComparison.Ordinal);
    }

    private async Task<string> RefusalAsync()
    {
        var ended = await MirrorProgram.RunAsync("node", "--config", cluster.Config, "--node", "alpha");

        Assert.Equal(ExitCode.Failed, ended.Code);
        Assert.DoesNotContain("   at Mi", ended.Output + ended.Errors, StringComparison.Ordinal);
        return Assert.Single(ended.Errors.Split('\n'), line => line.StartsWith("mirror: ", StringComparison.Ordinal));
    }
}
