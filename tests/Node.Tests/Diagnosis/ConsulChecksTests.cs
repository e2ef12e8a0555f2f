using Mirror.Node.Configuration;
using Mirror.Node.Consul;
using Mirror.Node.Diagnosis;
using Mirror.Testing;
using Mirror.Testing.Consul;

namespace Mirror.Node.Tests.Diagnosis;

public sealed class ConsulChecksTests : IAsyncLifetime, IDisposable
{
    private readonly TemporaryDirectory _scratch = new();
    private readonly StandInServers _servers = new(TimeProvider.System);
    private StandInHttp _http = null!;

    private string TokenFile => Path.Combine(_scratch.Path, "token");

    public async Task InitializeAsync() => _http = await StandInHttp.StartAsync(new(_servers, "alpha", TimeProvider.System));

    public Task DisposeAsync() => _http.DisposeAsync().AsTask();

    public void Dispose()
    {
        _servers.Dispose();
        _scratch.Dispose();
    }

    [Fact]
    public async Task What_will_be_needed_is_tried_and_leaves_no_trace()
    {
        var checks = await RunAsync();

        Assert.All(checks, static check => Assert.Equal(("consul", CheckResult.Ok), (check.Name, check.Result)));
        Assert.Contains(checks, static check => check.What == "The services mirror, wiki may be registered there.");
        Assert.Contains(checks, static check => check.What == "Locks under mirror/example/ may be taken.");
        Assert.Empty(_servers.Sessions);
        Assert.Empty(_servers.Keys);
        foreach (var name in new[] { "mirror", "wiki" })
        {
            Assert.Empty((await _http.Agent.WatchServiceAsync(name, 0, TimeSpan.Zero, CancellationToken.None)).Instances);
        }
    }

    [Fact]
    public async Task A_token_that_may_only_read_is_not_enough()
    {
        (_http.Token, _http.ReadToken) = ("writer", "reader");
        await WriteTokenAsync("reader");
        var failed = Assert.Single(await RunAsync(TokenFile), static check => check.Result == CheckResult.Failed);
        Assert.Contains("to register the service mirror, does not allow it", failed.What, StringComparison.Ordinal);
        Assert.Contains("service:write on mirror", failed.Remedy, StringComparison.Ordinal);

        await WriteTokenAsync("writer");
        Assert.All(await RunAsync(TokenFile), static check => Assert.Equal(CheckResult.Ok, check.Result));
        File.SetUnixFileMode(TokenFile, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.Contains(await RunAsync(TokenFile), static check => check.Result == CheckResult.Warning && check.Remedy.Contains("chmod 600", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_agent_that_is_not_there_fails_and_says_where_it_was_looked_for()
    {
        var gone = _http.Url;
        await _http.DisposeAsync();
        var failed = Assert.Single(await RunAsync(null, gone));
        Assert.Equal(CheckResult.Failed, failed.Result);
        Assert.StartsWith($"Consul at {gone} does not answer", failed.What, StringComparison.Ordinal);
        Assert.Contains("cluster.consul.address", failed.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_file_that_is_not_there_fails()
    {
        var failed = Assert.Single(await RunAsync(TokenFile));
        Assert.Contains("The token for Consul cannot be read", failed.What, StringComparison.Ordinal);
    }

    private async Task WriteTokenAsync(string token)
    {
        await File.WriteAllTextAsync(TokenFile, token);
        File.SetUnixFileMode(TokenFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private Task<IReadOnlyList<Check>> RunAsync(string? token = null, Uri? address = null) =>
        new ConsulChecks(new ConsulConfig(new ConsulAgent(address ?? _http.Url, token), true, "mirror"), "example", TimeProvider.System).RunAsync(["wiki"], CancellationToken.None);
}
