using System.Diagnostics;
using System.Globalization;
using Mirror.Node.Consul;
using Mirror.Node.Tests.Listening;
using Mirror.Testing;

namespace Mirror.Node.Tests.Consul;

/// <summary>
/// The contract, held against a real Consul: the one at CONSUL_HTTP_ADDR (with CONSUL_HTTP_TOKEN, when it asks for one), or one that is started from the PATH and serves nobody else. Where there is
/// neither, the tests say that they were not run.
/// </summary>
public sealed class RealConsulTests : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan s_startWithin = TimeSpan.FromSeconds(30);
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromMinutes(2));
    private TemporaryDirectory? _data;
    private Process? _agent;
    private ConsulClient? _consul;

    public async Task InitializeAsync()
    {
        var address = RealConsulTheoryAttribute.Address;
        if (address is null && RealConsulTheoryAttribute.Program is { } program)
        {
            int[] ports = [.. Enumerable.Range(0, 4).Select(static _ => TestServer.FreePort())];
            _data = new();
            string Port(int place) => ports[place].ToString(CultureInfo.InvariantCulture);
            _agent = Process.Start(new ProcessStartInfo(
                program,
                [
                    "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", $"-data-dir={_data.Path}", $"-http-port={Port(0)}", "-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1",
                    $"-server-port={Port(1)}", $"-serf-lan-port={Port(2)}", $"-serf-wan-port={Port(3)}", "-log-level=error",
                ]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            address = new Uri($"http://127.0.0.1:{ports[0]}");
            await UntilLedAsync(address);
        }

        _consul = address is null ? null : new ConsulClient(new(address), TimeProvider.System);
    }

    public async Task DisposeAsync()
    {
        if (_agent is not null)
        {
            _agent.Kill();
            await _agent.WaitForExitAsync();
            _agent.Dispose();
        }
    }

    public void Dispose()
    {
        _consul?.Dispose();
        _limit.Dispose();
        _data?.Dispose();
    }

    [RealConsulTheory]
    [MemberData(nameof(ConsulContract.Names), MemberType = typeof(ConsulContract))]
    public Task A_real_Consul_keeps_the_contract(string part) => ConsulContract.CheckAsync(part, _consul!, _limit.Token);

    private async Task UntilLedAsync(Uri address)
    {
        using var client = new ConsulClient(new(address), TimeProvider.System);
        using var late = new CancellationTokenSource(s_startWithin);
        while (true)
        {
            try
            {
                if ((await client.LeaderAsync(late.Token)).Length > 0)
                {
                    return;
                }
            }
            catch (ConsulException)
            {
                // Not up yet.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, late.Token);
        }
    }
}

/// <summary>A theory for which a real Consul is needed.</summary>
internal sealed class RealConsulTheoryAttribute : TheoryAttribute
{
    public RealConsulTheoryAttribute()
    {
        if (Address is null && Program is null)
        {
            Skip = "Not run: CONSUL_HTTP_ADDR names no Consul, and none is on the PATH.";
        }
    }

    /// <summary>As Consul's own program has it: host and port, with or without a scheme.</summary>
    public static Uri? Address => Environment.GetEnvironmentVariable("CONSUL_HTTP_ADDR") is { Length: > 0 } text
        ? new Uri(text.Contains("://", StringComparison.Ordinal) ? text : $"http://{text}")
        : null;

    public static string? Program => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(static directory => Path.Combine(directory, "consul")).FirstOrDefault(File.Exists);
}
