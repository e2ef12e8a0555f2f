using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using Wiki.Storage;

namespace Wiki.Pages;

/// <summary>Counts views in memory and writes them down now and then. Reading a page never waits for it, nor fails because of it.</summary>
public sealed partial class ViewCounter(Database database, TimeProvider time, ILogger<ViewCounter> logger) : BackgroundService
{
    private static readonly TimeSpan s_every = TimeSpan.FromSeconds(15);
    private readonly ConcurrentDictionary<PageName, int> _pending = [];

    public void Count(PageName page) => _pending.AddOrUpdate(page, 1, (_, count) => count + 1);

    public long Of(PageName page)
    {
        using var connection = database.Open();
        return connection.Scalar<long>("SELECT count FROM views WHERE page = $page", ("$page", page.Text)) + _pending.GetValueOrDefault(page);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        Flush();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_every, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                Flush();
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private void Flush()
    {
        var counts = _pending.ToArray();
        if (counts.Length == 0)
        {
            return;
        }

        try
        {
            using var connection = database.Open();
            using var transaction = connection.BeginTransaction();
            foreach (var (page, count) in counts)
            {
                connection.Execute(
                    "INSERT INTO views (page, count) VALUES ($page, $count) ON CONFLICT (page) DO UPDATE SET count = count + excluded.count",
                    ("$page", page.Text), ("$count", count));
            }

            transaction.Commit();
        }
        catch (SqliteException failure) when (Database.MeansReadOnly(failure))
        {
            LogKept(failure, counts.Length);
            return;
        }

        foreach (var (page, count) in counts)
        {
            _pending.AddOrUpdate(page, 0, (_, now) => now - count);
            _pending.TryRemove(KeyValuePair.Create(page, 0));
        }
    }

    [LoggerMessage(1, LogLevel.Information, "The database cannot be written just now; the views of {Pages} pages are kept in memory.")]
    private partial void LogKept(Exception failure, int pages);
}
