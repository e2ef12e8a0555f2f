using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Mirror.Proxy.Listening;

/// <summary>
/// What the server refuses before it is a request: no HTTP, too large, too slow. The server tells each of them to a debug category; here they are counted, and told in one line every while,
/// so that who sends a million of them fills no disk.
/// </summary>
internal sealed class BadRequests : ILoggerProvider
{
    /// <summary>The server's category for these.</summary>
    public const string Category = "Microsoft.AspNetCore.Server.Kestrel.BadRequests";

    private long _count;
    private string _last = "";

    public long Count => Volatile.Read(ref _count);

    public string Last => Volatile.Read(ref _last);

    public ILogger CreateLogger(string categoryName) => new Counting(this);

    public void Dispose()
    {
    }

    private sealed class Counting(BadRequests all) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Volatile.Write(ref all._last, exception?.Message ?? eventId.Name ?? "");
            Interlocked.Increment(ref all._count);
        }
    }
}

/// <summary>Tells of <see cref="BadRequests"/>.</summary>
internal sealed partial class BadRequestReport(BadRequests bad, ProxyMetrics metrics, TimeProvider time, ILogger<BadRequestReport> log) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var told = 0L;
        using var timer = new PeriodicTimer(Every, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            if (bad.Count - told is > 0 and var count)
            {
                told += count;
                metrics.Malformed(count);
                LogBad(count, Every.TotalSeconds, bad.Last);
            }
        }
    }

    [LoggerMessage(6033, LogLevel.Warning, "{Count} requests within {Seconds} s were no HTTP, too large or too slow, and were refused; the last: {Reason}")]
    private partial void LogBad(long count, double seconds, string reason);
}
