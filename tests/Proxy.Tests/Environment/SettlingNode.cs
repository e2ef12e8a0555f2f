using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;

namespace Mirror.Proxy.Tests.Environment;

/// <summary>A node that is asked whether changes are where they have to be, and says what the test says.</summary>
internal sealed class SettlingNode : IAsyncDisposable
{
    private readonly WebApplication _host;

    private SettlingNode(WebApplication host, string name)
    {
        _host = host;
        Member = new MemberConfig(name, MemberKind.Node, "127.0.0.1", new Uri(host.Urls.Single()).Port, 0, "/nowhere", [], TimeSpan.Zero, 0, default);
    }

    public MemberConfig Member { get; }

    public static async Task<SettlingNode> StartAsync(string name, Func<SettleRequest, CancellationToken, Task<bool>> settle)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(new Answers(settle)).AddGrpc();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(ClusterPki.Of(name).Certificate, https =>
            {
                https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
                https.ClientCertificateValidation = (certificate, _, _) => ClusterPki.Of(name).Trusts(certificate, client: true);
            });
        }));
        var host = builder.Build();
        host.MapGrpcService<Answers>();
        await host.StartAsync();
        return new SettlingNode(host, name);
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    internal sealed class Answers(Func<SettleRequest, CancellationToken, Task<bool>> settle) : Node.Wire.Durability.DurabilityBase
    {
        public override async Task<SettleReply> Settle(SettleRequest request, ServerCallContext context) =>
            new() { Settled = await settle(request, context.CancellationToken) };
    }
}
