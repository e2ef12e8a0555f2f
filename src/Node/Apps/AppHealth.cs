using System.Net.Sockets;

namespace Mirror.Node.Apps;

/// <summary>Asks an app's health URL, often and impatiently, until it answers with success.</summary>
internal static class AppHealth
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(2);

    // A redirect is not health, and a proxy of the environment is not on the way.
    private static readonly HttpClient s_http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, PooledConnectionIdleTimeout = TimeSpan.FromSeconds(1) })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <returns>When it is healthy.</returns>
    /// <param name="lastAnswer">Told what came of each try.</param>
    public static async Task WaitAsync(Uri url, Action<string> lastAnswer, TimeProvider time, CancellationToken cancellation)
    {
        var pause = FirstPause;
        while (await AskAsync(url, time, cancellation) is { } answer)
        {
            lastAnswer(answer);
            await Task.Delay(pause, time, cancellation);
            pause = pause * 1.2 < LongestPause ? pause * 1.2 : LongestPause;
        }
    }

    /// <returns>Null for success, else what came instead.</returns>
    private static async Task<string?> AskAsync(Uri url, TimeProvider time, CancellationToken cancellation)
    {
        using var patience = new CancellationTokenSource(AnswerWithin, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, patience.Token);
        try
        {
            using var response = await s_http.GetAsync(url, HttpCompletionOption.ResponseHeadersRead, either.Token);
            return response.IsSuccessStatusCode ? null : $"status {(int)response.StatusCode}";
        }
        catch (HttpRequestException failure)
        {
            return failure.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused } ? "connection refused" : failure.Message;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return $"no answer in {AnswerWithin.TotalSeconds:0} s";
        }
    }
}
