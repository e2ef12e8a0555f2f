using System.Collections.Concurrent;
using System.Globalization;

namespace Mirror.Scenarios;

/// <summary>Many who use the wiki at once: most read, some append lines and say that to do so twice does no harm. What fails is kept, and which lines were acknowledged.</summary>
internal sealed class Crowd : IAsyncDisposable
{
    private static readonly TimeSpan thinking = TimeSpan.FromMilliseconds(50);

    private readonly HttpClient client;
    private readonly CancellationTokenSource stopping = new();
    private readonly ConcurrentQueue<string> failures = new();
    private readonly ConcurrentQueue<string> acknowledged = new();
    private readonly Task[] users;

    public Crowd(Uri site, string pages, int readers, int writers)
    {
        client = new HttpClient(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5) }) { BaseAddress = site, Timeout = TimeSpan.FromSeconds(60) };
        Pages = [.. Enumerable.Range(0, writers).Select(writer => $"{pages}-{writer}")];
        users = [.. Enumerable.Range(0, readers).Select(reader => Task.Run(() => ReadAsync(reader))), .. Pages.Select(page => Task.Run(() => WriteAsync(page)))];
    }

    public IReadOnlyList<string> Pages { get; }

    public IReadOnlyCollection<string> Failures => failures;

    public IReadOnlyCollection<string> Acknowledged => acknowledged;

    public long Requests { get; private set; }

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

    private Task ReadAsync(int reader) => RepeatAsync(_ => new HttpRequestMessage(HttpMethod.Get, reader % 4 == 0 ? "/" : $"/pages/{Pages[reader % Pages.Count]}"), static (_, _) => { });

    private Task WriteAsync(string page) => RepeatAsync(
        number =>
        {
            var request = new HttpRequestMessage(HttpMethod.Post, $"/api/pages/{page}/append") { Content = new StringContent(LineOf(page, number)) };
            request.Headers.Add("Idempotency-Key", LineOf(page, number));
            return request;
        },
        (number, response) =>
        {
            if (response.IsSuccessStatusCode)
            {
                acknowledged.Enqueue(LineOf(page, number));
            }
        });

    private static string LineOf(string page, int number) => string.Create(CultureInfo.InvariantCulture, $"{page} line {number}");

    private async Task RepeatAsync(Func<int, HttpRequestMessage> ask, Action<int, HttpResponseMessage> answered)
    {
        for (var number = 1; !stopping.IsCancellationRequested; number++)
        {
            using var request = ask(number);
            try
            {
                using var response = await client.SendAsync(request, CancellationToken.None);
                await response.Content.ReadAsByteArrayAsync();
                if ((int)response.StatusCode >= 500)
                {
                    failures.Enqueue($"{request.Method} {request.RequestUri}: {(int)response.StatusCode}");
                }

                answered(number, response);
            }
            catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
            {
                failures.Enqueue($"{request.Method} {request.RequestUri}: {failure.Message}");
            }

            lock (failures)
            {
                Requests++;
            }

            await Task.Delay(thinking, stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
