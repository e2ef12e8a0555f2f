using System.Net;
using System.Security.Cryptography;
using System.Threading.Channels;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Mirror.Node.Wire;
using Mirror.Store.Versions;

namespace Mirror.Replica.Tests.Receive;

/// <summary>A primary on loopback that says exactly what a test wants it to say, over real gRPC.</summary>
internal sealed class FakePrimary : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly GrpcChannel channel;
    private readonly Script script;

    private FakePrimary(WebApplication app, Script script)
    {
        this.app = app;
        this.script = script;
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions { HttpHandler = new SocketsHttpHandler { UseProxy = false }, DisposeHttpClient = true });
        Client = new Replication.ReplicationClient(channel);
    }

    public Replication.ReplicationClient Client { get; }

    /// <summary>What replicas asked for, in turn.</summary>
    public ChannelReader<FollowRequest> Asked => script.Asked.Reader;

    /// <summary>Hashes the last fill was told of.</summary>
    public int HashesAtHand => script.HashesAtHand;

    public Func<FollowRequest, IServerStreamWriter<FollowFrame>, ServerCallContext, Task> OnFollow { set => script.OnFollow = value; }

    public IReadOnlyList<PackBytes> FillAnswer { set => script.FillAnswer = value; }

    public static async Task<FakePrimary> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        var script = new Script();
        builder.Services.AddSingleton(script).AddGrpc();
        var app = builder.Build();
        app.MapGrpcService<Script>();
        await app.StartAsync();
        return new FakePrimary(app, script);
    }

    /// <summary>A pack as frames, from <paramref name="offset"/> on; of those only as many as wanted.</summary>
    public static IEnumerable<FollowFrame> Frames(string pack, VersionRecord from, VersionRecord to, ulong epoch, long offset = 0, int pieces = int.MaxValue)
    {
        var bytes = File.ReadAllBytes(pack);
        yield return new FollowFrame
        {
            Epoch = epoch, Begins = new PackBegins { From = ToWire(from.Id), To = ToWire(to.Id), Length = (ulong)bytes.Length, Offset = (ulong)offset },
        };
        foreach (var piece in bytes[(int)offset..].Chunk(50_000).Take(pieces))
        {
            yield return new FollowFrame { Epoch = epoch, Data = ByteString.CopyFrom(piece) };
        }

        if (pieces == int.MaxValue)
        {
            yield return new FollowFrame { Epoch = epoch, Ends = new PackEnds { Sha256 = ByteString.CopyFrom(SHA256.HashData(bytes)) } };
        }
    }

    public static VersionPosition ToWire(VersionId id) => new() { Epoch = id.Epoch, Sequence = id.Sequence };

    public async ValueTask DisposeAsync()
    {
        channel.Dispose();
        await app.DisposeAsync();
    }

    internal sealed class Script : Replication.ReplicationBase
    {
        public Channel<FollowRequest> Asked { get; } = Channel.CreateUnbounded<FollowRequest>();

        public int HashesAtHand { get; private set; }

        public Func<FollowRequest, IServerStreamWriter<FollowFrame>, ServerCallContext, Task> OnFollow { get; set; } = (_, _, _) => Task.CompletedTask;

        public IReadOnlyList<PackBytes> FillAnswer { get; set; } = [];

        public override Task Follow(FollowRequest request, IServerStreamWriter<FollowFrame> responseStream, ServerCallContext context)
        {
            Asked.Writer.TryWrite(request);
            return OnFollow(request, responseStream, context);
        }

        public override async Task Fill(IAsyncStreamReader<FillRequest> requestStream, IServerStreamWriter<PackBytes> responseStream, ServerCallContext context)
        {
            HashesAtHand = 0;
            await foreach (var request in requestStream.ReadAllAsync())
            {
                HashesAtHand += request.Have.Length / 32;
            }

            foreach (var piece in FillAnswer)
            {
                await responseStream.WriteAsync(piece);
            }
        }
    }
}
