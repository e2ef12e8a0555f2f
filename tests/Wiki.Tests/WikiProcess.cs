using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;

namespace Wiki.Tests;

/// <summary>The wiki as a process of its own, on a free port, with a client that keeps cookies and does not follow redirects.</summary>
internal sealed class WikiProcess : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);
    private readonly Process _process;

    private WikiProcess(Process process, Uri address)
    {
        _process = process;
        Http = NewClient(address);
    }

    public HttpClient Http { get; }

    /// <param name="wrapper">Program and arguments that run the wiki's command, which is appended.</param>
    public static async Task<WikiProcess> StartAsync(string root, params string[] wrapper)
    {
        var address = new Uri($"http://127.0.0.1:{FreePort()}");
        string[] command = [.. wrapper, "dotnet", Path.Combine(AppContext.BaseDirectory, "wiki.dll"), "--root", root, "--urls", address.ToString()];
        var wiki = new WikiProcess(Process.Start(new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardOutput = true })!, address);
        _ = wiki._process.StandardOutput.ReadToEndAsync();
        var clock = Stopwatch.StartNew();
        while (!await wiki.AnswersAsync())
        {
            Assert.False(wiki._process.HasExited, "The wiki ended before it was healthy.");
            Assert.True(clock.Elapsed < s_patience, "The wiki was not healthy in time.");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }

        return wiki;
    }

    public HttpClient NewClient() => NewClient(Http.BaseAddress!);

    public async Task<(int Revision, string Text)> ReadAsync(string page)
    {
        var json = await Http.GetFromJsonAsync<JsonElement>(new Uri($"/api/pages/{page}", UriKind.Relative));
        return (json.GetProperty("revision").GetInt32(), json.GetProperty("text").GetString()!);
    }

    public async Task<int> AppendAsync(string page, string line)
    {
        using var response = await Http.PostAsync(new Uri($"/api/pages/{page}/append", UriKind.Relative), new StringContent(line));
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("revision").GetInt32();
    }

    public Task<HttpResponseMessage> PostFormAsync(string path, params (string Name, string Value)[] fields) => PostFormAsync(Http, path, fields);

    public static Task<HttpResponseMessage> PostFormAsync(HttpClient client, string path, params (string Name, string Value)[] fields) =>
        client.PostAsync(new Uri(path, UriKind.Relative), new FormUrlEncodedContent(fields.Select(field => KeyValuePair.Create(field.Name, field.Value))));

    public Task<HttpResponseMessage> GetAsync(string path) => Http.GetAsync(new Uri(path, UriKind.Relative));

    public Task<string> TextAsync(string path) => Http.GetStringAsync(new Uri(path, UriKind.Relative));

    public async Task KillAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM, as whoever supervises it would send.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> StopAsync()
    {
        if (!_process.HasExited)
        {
            using var kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
            await kill.WaitForExitAsync();
        }

        await _process.WaitForExitAsync().WaitAsync(s_patience);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Http.Dispose();
        _process.Dispose();
    }

    private static HttpClient NewClient(Uri address) => new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false }) { BaseAddress = address };

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            using var response = await GetAsync("/healthz");
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
