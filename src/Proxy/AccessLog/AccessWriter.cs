using System.Text;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;
using Mirror.Proxy.Listening;

namespace Mirror.Proxy.AccessLog;

/// <summary>
/// Writes a line for each request, aside: a request leaves its facts in a queue and goes. The queue is bounded; when the disk does not keep up lines are left out and counted, and no request waits.
/// </summary>
internal sealed partial class AccessWriter(MemberConfig member, TrustedProxies trusted, TimeProvider time, ILogger<AccessWriter> log) : BackgroundService
{
    private const int MostWaiting = 16 * 1024;
    private const int MostAtOnce = 256;
    private static readonly TimeSpan TellEvery = TimeSpan.FromMinutes(1);

    private readonly AccessLogConfig? _config = member.Front.AccessLog;
    private readonly Channel<AccessLine> _lines = Channel.CreateBounded<AccessLine>(new BoundedChannelOptions(MostWaiting) { SingleReader = true });
    private long _leftOut;

    public bool IsOn => _config is not null;

    /// <summary>Lines there was no room for, or that could not be written.</summary>
    public long LeftOut => Volatile.Read(ref _leftOut);

    public void Add(HttpContext context, long begin)
    {
        var request = context.Request;
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget;
        var line = new AccessLine(
            time.GetUtcNow(),
            trusted.ClientOf(context.Connection.RemoteIpAddress, request.Headers["X-Forwarded-For"]),
            request.Method, string.IsNullOrEmpty(target) ? request.Path + request.QueryString : target, request.Protocol, request.Host.Value ?? "",
            context.Response.StatusCode, context.Response.ContentLength, request.Headers.Referer.ToString(), request.Headers.UserAgent.ToString(),
            time.GetElapsedTime(begin).TotalMilliseconds);
        if (!_lines.Writer.TryWrite(line))
        {
            Interlocked.Increment(ref _leftOut);
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        // What is in the queue is written; the loop ends when it is empty.
        _lines.Writer.TryComplete();
        await (ExecuteTask ?? Task.CompletedTask).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_config is null)
        {
            return;
        }

        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        using var file = new AccessFile(_config);
        var text = new StringBuilder();
        var told = (At: long.MinValue, LeftOut: 0L);
        while (await _lines.Reader.WaitToReadAsync(CancellationToken.None))
        {
            text.Clear();
            var count = 0;
            for (; count < MostAtOnce && _lines.Reader.TryRead(out var line); count++)
            {
                if (_config.Json)
                {
                    line.WriteJson(text);
                }
                else
                {
                    line.WriteCombined(text);
                }
            }

            string? reason = null;
            try
            {
                file.Write(Encoding.UTF8.GetBytes(text.ToString()));
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                reason = exception.Message;
                file.Close();
                Interlocked.Add(ref _leftOut, count);
            }

            if (LeftOut > told.LeftOut && (told.At == long.MinValue || time.GetElapsedTime(told.At) > TellEvery))
            {
                LogLeftOut(LeftOut - told.LeftOut, _config.File, reason ?? "it is written to more slowly than requests come");
                told = (time.GetTimestamp(), LeftOut);
            }
        }
    }

    [LoggerMessage(6034, LogLevel.Warning, "{Count} lines were left out of the access log {File}: {Reason}")]
    private partial void LogLeftOut(long count, string file, string reason);
}
