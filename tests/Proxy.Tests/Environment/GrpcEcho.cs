using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Text;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Mirror.Proxy.Tests.Environment;

/// <summary>An app that speaks gRPC, frame by frame: it says each word back while more come, and counts them in a trailer.</summary>
internal sealed class GrpcEcho : IAsyncDisposable
{
    private readonly WebApplication _app;

    private GrpcEcho(WebApplication app) => _app = app;

    public static Method<string, string> Method { get; } = new(
        MethodType.DuplexStreaming, "test.Echo", "Say", Marshallers.Create(Encoding.UTF8.GetBytes, Encoding.UTF8.GetString), Marshallers.Create(Encoding.UTF8.GetBytes, Encoding.UTF8.GetString));

    public string Address => _app.Urls.Single();

    public static async Task<GrpcEcho> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        var app = builder.Build();
        app.Run(SayAsync);
        await app.StartAsync();
        return new GrpcEcho(app);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static async Task SayAsync(HttpContext context)
    {
        context.Response.ContentType = "application/grpc";
        var count = 0;
        var head = new byte[5];
        while (await context.Request.Body.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false) == head.Length)
        {
            var word = new byte[BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(1))];
            await context.Request.Body.ReadExactlyAsync(word);
            byte[] answer = [.. word, (byte)'!'];
            BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(1), answer.Length);
            await context.Response.Body.WriteAsync(head);
            await context.Response.Body.WriteAsync(answer);
            await context.Response.Body.FlushAsync();
            count++;
        }

        context.Response.AppendTrailer("grpc-status", "0");
        context.Response.AppendTrailer("words", count.ToString(CultureInfo.InvariantCulture));
    }
}
