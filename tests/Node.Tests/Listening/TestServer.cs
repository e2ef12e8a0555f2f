using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;
using Mirror.Node.Listening;
using Mirror.Node.Wire;

namespace Mirror.Node.Tests.Listening;

/// <summary>A real Kestrel that answers every request for a vote with the caller's name and kind.</summary>
internal static class TestServer
{
    /// <param name="map">What answers; null: the echo.</param>
    public static async Task<WebApplication> StartAsync(Action<WebApplicationBuilder> listen, Action<WebApplication>? map = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        listen(builder);
        var app = builder.Build();
        (map ?? (static app => app.MapGrpcService<Echo>()))(app);
        try
        {
            await app.StartAsync();
            return app;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public static MemberConfig Member(string name, int port, string state, MemberKind kind = MemberKind.Node, params string[] listen) =>
        new(name, kind, "127.0.0.1", port, port + 1, state, listen, TimeSpan.FromSeconds(30), 1000, new PortRange(20000, 20999));

    private sealed class Echo : Voting.VotingBase
    {
        public override Task<GrantReply> RequestGrant(GrantRequest request, ServerCallContext context)
        {
            // Asked without denying strangers, so that a test sees the interceptor deny them.
            var caller = Callers.CallerOf(context.GetHttpContext()) ?? new Caller(null, "stranger");
            return Task.FromResult(new GrantReply { Granted = true, Holder = caller.Name ?? "", Reason = caller.Kind });
        }
    }
}
