using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Mirror.Proxy.Tests.Environment;

/// <summary>A site's app: a real server on loopback. It answers its own name and the path, unless a test gives it something else to do.</summary>
internal sealed class Backend : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, ConnectionContext> _connections = new();
    private readonly ConcurrentQueue<string> _seen = new();
    private readonly WebApplication _app;
    private int _stopped;

    private Backend(string name, int port, RequestDelegate? handler)
    {
        Name = name;
        Handler = handler ?? (context => context.Response.WriteAsync($"{name} {context.Request.Path}{context.Request.QueryString}"));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen => listen.Use(next => async connection =>
        {
            _connections[connection.ConnectionId] = connection;
            try
            {
                await next(connection);
            }
            finally
            {
                _connections.TryRemove(connection.ConnectionId, out _);
            }
        })));
        _app = builder.Build();
        _app.UseWebSockets();
        _app.Run(context =>
        {
            _seen.Enqueue($"{context.Request.Method} {context.Request.Path}");
            return Handler(context);
        });
    }

    public string Name { get; }

    public RequestDelegate Handler { get; set; }

    public string Address { get; private set; } = "";

    public int Port => new Uri(Address).Port;

    /// <summary>Method and path of every request that reached it, in order.</summary>
    public IReadOnlyList<string> Seen => [.. _seen];

    public int Connections => _connections.Count;

    public static async Task<Backend> StartAsync(string name, RequestDelegate? handler = null, int port = 0)
    {
        var backend = new Backend(name, port, handler);
        await backend._app.StartAsync();
        backend.Address = backend._app.Urls.Single();
        return backend;
    }

    /// <summary>Like kill -9: no answer, no goodbye, and the port refuses.</summary>
    public async Task KillAsync()
    {
        if (Interlocked.Exchange(ref _stopped, 1) == 1)
        {
            return;
        }

        var stop = _app.StopAsync(new CancellationToken(canceled: true));
        foreach (var connection in _connections.Values)
        {
            connection.Abort();
        }

        await stop;
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        await _app.DisposeAsync();
    }
}
