using System.Collections.Concurrent;
using System.Globalization;

namespace Mirror.Cli.Demo;

/// <summary>A line that the wiki acknowledged.</summary>
/// <param name="Epoch">Reign that acknowledged it; 0 when it said none.</param>
internal sealed record AcknowledgedLine(string Page, string Line, DateTimeOffset At, ulong Epoch);

/// <summary>An answer from the site, as its user saw it.</summary>
/// <param name="Epoch">Reign that answered, from the proxy's Mirror-Epoch header; 0 when it said none.</param>
internal readonly record struct Answer(DateTimeOffset Asked, DateTimeOffset At, ulong Epoch, bool IsWrite);

/// <summary>
/// Users of the site: readers that ask for pages, writers that append numbered lines and remember which were acknowledged. They know nothing of the cluster; a page that
/// takes long is just a slow page to them. A write that fails is not repeated: nobody knows whether it was done.
/// </summary>
internal sealed class DemoLoad : IAsyncDisposable
{
    private const int readers = 4;
    private const int writers = 3;
    private static readonly TimeSpan thinking = TimeSpan.FromMilliseconds(20);

    private readonly TimeProvider time = TimeProvider.System;
    private readonly HttpClient client;
    private readonly CancellationTokenSource stopping = new();
    private readonly List<Task> users = [];
    private readonly ConcurrentQueue<AcknowledgedLine> acknowledged = new();
    private readonly ConcurrentQueue<Answer> answers = new();
    private readonly ConcurrentQueue<string> failures = new();
    private long reads;
    private long writes;
    private long failedReads;
    private long failedWrites;

    public DemoLoad(Uri site) : this(site, "log", new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5) })
    {
    }

    /// <param name="pages">What the names of its pages begin with.</param>
    /// <param name="connections">How it reaches the site.</param>
    public DemoLoad(Uri site, string pages, SocketsHttpHandler connections)
    {
        Pages = [.. Enumerable.Range(0, writers).Select(user => $"{pages}-{user}")];
        client = new HttpClient(connections) { BaseAddress = site, Timeout = TimeSpan.FromSeconds(60) };
        for (var user = 0; user < readers; user++)
        {
            users.Add(Task.Run(ReadAsync));
        }

        foreach (var page in Pages)
        {
            users.Add(Task.Run(() => WriteAsync(page)));
        }
    }

    /// <summary>One for each writer.</summary>
    public IReadOnlyList<string> Pages { get; }

    public IReadOnlyCollection<AcknowledgedLine> Acknowledged => acknowledged;

    public IReadOnlyCollection<Answer> Answers => answers;

    public IReadOnlyCollection<string> Failures => failures;

    public long Requests => Interlocked.Read(ref reads) + Interlocked.Read(ref writes);

    public long FailedReads => Interlocked.Read(ref failedReads);

    public long FailedWrites => Interlocked.Read(ref failedWrites);

    public async Task StopAsync()
    {
        await stopping.CancelAsync();
        await Task.WhenAll(users);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        client.Dispose();
        stopping.Dispose();
    }

    /// <summary>Between the last answer of one reign and the first of a later one, in milliseconds: what a user could have noticed. Null when either is missing.</summary>
    public double? GapAfter(ulong epoch)
    {
        var before = answers.Where(answer => answer.Epoch == epoch).Select(answer => answer.At).DefaultIfEmpty().Max();
        var after = answers.Where(answer => answer.Epoch > epoch).Select(answer => answer.At).DefaultIfEmpty().Min();
        return before == default || after == default ? null : (after - before).TotalMilliseconds;
    }

    private async Task ReadAsync()
    {
        var random = new Random(Environment.CurrentManagedThreadId);
        while (!stopping.IsCancellationRequested)
        {
            var path = random.Next(4) == 0 ? "/" : $"/pages/{Pages[random.Next(Pages.Count)]}";
            Interlocked.Increment(ref reads);
            var asked = time.GetUtcNow();
            try
            {
                using var response = await client.GetAsync(new Uri(path, UriKind.Relative), CancellationToken.None);
                await response.Content.ReadAsByteArrayAsync();
                if ((int)response.StatusCode < 500)
                {
                    answers.Enqueue(new Answer(asked, time.GetUtcNow(), EpochOf(response), IsWrite: false));
                }
                else
                {
                    Interlocked.Increment(ref failedReads);
                    failures.Enqueue($"GET {path}: {(int)response.StatusCode}");
                }
            }
            catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
            {
                Interlocked.Increment(ref failedReads);
                failures.Enqueue($"GET {path}: {failure.Message}");
            }

            await ThinkAsync();
        }
    }

    private async Task WriteAsync(string page)
    {
        for (var number = 1; !stopping.IsCancellationRequested; number++)
        {
            var line = string.Create(CultureInfo.InvariantCulture, $"{page} line {number}");
            Interlocked.Increment(ref writes);
            var asked = time.GetUtcNow();
            try
            {
                using var body = new StringContent(line);
                using var response = await client.PostAsync(new Uri($"/api/pages/{page}/append", UriKind.Relative), body, CancellationToken.None);
                if (response.IsSuccessStatusCode)
                {
                    var now = time.GetUtcNow();
                    var epoch = EpochOf(response);
                    acknowledged.Enqueue(new AcknowledgedLine(page, line, now, epoch));
                    answers.Enqueue(new Answer(asked, now, epoch, IsWrite: true));
                }
                else
                {
                    Interlocked.Increment(ref failedWrites);
                    failures.Enqueue($"POST {page}: {(int)response.StatusCode}");
                }
            }
            catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
            {
                Interlocked.Increment(ref failedWrites);
                failures.Enqueue($"POST {page}: {failure.Message}");
            }

            await ThinkAsync();
        }
    }

    private async Task ThinkAsync()
    {
        try
        {
            await Task.Delay(thinking, time, stopping.Token);
        }
        catch (OperationCanceledException)
        {
            // Enough of it.
        }
    }

    private static ulong EpochOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues("Mirror-Epoch", out var values) && ulong.TryParse(values.First(), NumberStyles.None, CultureInfo.InvariantCulture, out var epoch) ? epoch : 0;
}
