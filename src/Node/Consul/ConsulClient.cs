using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Polly;
using Polly.Retry;

namespace Mirror.Node.Consul;

/// <summary>Consul's HTTP API, as far as it is needed, over connections that are kept. Names: https://developer.hashicorp.com/consul/api-docs.</summary>
public sealed class ConsulClient : IConsul, IDisposable
{
    private const string IndexHeader = "X-Consul-Index";
    private const string TokenHeader = "X-Consul-Token";
    private const int LargestAnswer = 4 * 1024 * 1024;
    private const int LongestReason = 300;
    private static readonly TimeSpan ConnectWithin = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(3);

    // A waiting question is answered up to a sixteenth later than it asks for, so that not all waiting ones come at once.
    private const int JitterShare = 16;

    private readonly HttpClient _http;
    private readonly X509Certificate2? _certificate;
    private readonly TimeProvider _time;
    private readonly ResiliencePipeline<HttpResponseMessage> _again;

    /// <exception cref="ConsulException">The token or a certificate cannot be read.</exception>
    public ConsulClient(ConsulAgent agent, TimeProvider time)
    {
        Agent = agent;
        _time = time;
        _certificate = agent.ReadCertificate();
        var handler = new SocketsHttpHandler
        {
            // A proxy from the environment is for the web, not for the agent on this machine.
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = ConnectWithin,
        };
        if (agent.ReadAuthorities() is { } authorities)
        {
            handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(authorities);
        }

        if (_certificate is not null)
        {
            handler.SslOptions.ClientCertificates = [_certificate];
        }

        _http = new HttpClient(handler) { BaseAddress = agent.Address, Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = LargestAnswer };
        if (agent.ReadToken() is { } token)
        {
            _http.DefaultRequestHeaders.Add(TokenHeader, token);
        }

        _again = new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions<HttpResponseMessage>
            {
                ShouldHandle = static outcome => ValueTask.FromResult(outcome.Outcome switch
                {
                    { Exception: HttpRequestException } => true,
                    { Result.StatusCode: HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable } => true,
                    // Also what it says while it looks for a leader.
                    { Result.StatusCode: HttpStatusCode.InternalServerError } => true,
                    _ => false,
                }),
                MaxRetryAttempts = 2,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = TimeSpan.FromMilliseconds(50),
                OnRetry = static again =>
                {
                    again.Outcome.Result?.Dispose();
                    return ValueTask.CompletedTask;
                },
            })
            .Build();
    }

    public ConsulAgent Agent { get; }

    public void Dispose()
    {
        _http.Dispose();
        _certificate?.Dispose();
    }

    public Task<KeyReading> ReadKeyAsync(string key, CancellationToken cancellation) => KeyAsync($"{KeyPath(key)}?consistent", AnswerWithin, cancellation);

    public Task<KeyReading> WatchKeyAsync(string key, ulong after, TimeSpan atMost, CancellationToken cancellation) =>
        KeyAsync($"{KeyPath(key)}{Waiting('?', after, atMost)}", Patience(after, atMost), cancellation);

    public async Task<CommitOutcome> CommitAsync(IReadOnlyList<KeyOperation> operations, CancellationToken cancellation)
    {
        var body = operations.Select(static operation => new TxnOperation(new TxnKey(
            VerbOf(operation.Verb), operation.Key, operation.Value, operation.Index == 0 && operation.Verb != KeyVerb.Cas ? null : operation.Index, operation.Session))).ToArray();
        using var answer = await SendAsync(HttpMethod.Put, "v1/txn", () => Json(body, ConsulJson.Default.TxnOperationArray), again: false, AnswerWithin, cancellation);
        if (answer.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.Conflict))
        {
            throw await RefusedAsync(answer, "a transaction", cancellation);
        }

        var result = await ReadAsync(answer, ConsulJson.Default.TxnAnswer, cancellation);
        var why = string.Join("; ", (result.Errors ?? []).Select(static error => Cut(error.What ?? "")));
        if (why.Contains("Permission denied", StringComparison.OrdinalIgnoreCase))
        {
            throw new ConsulException(ConsulFault.Denied, $"Consul at {Agent.Address} does not allow a transaction: {why}");
        }

        return answer.StatusCode == HttpStatusCode.OK
            ? new(true, [.. (result.Results ?? []).Select(static one => one.KV).OfType<KeyAnswer>().Select(ToEntry)], "")
            : new(false, [], why.Length > 0 ? why : "Consul gave no reason");
    }

    public async Task<string> OpenSessionAsync(SessionAsk ask, CancellationToken cancellation)
    {
        // The node's own check besides: with the machine gone, nobody is left to say that the service is.
        var body = new SessionRequest(ask.Name, Text(ask.TimeToLive), Text(ask.LockDelay), "release", ["serfHealth"], [new ServiceCheckRequest(CheckOf(ask.Service))]);
        using var answer = await SendAsync(HttpMethod.Put, "v1/session/create", () => Json(body, ConsulJson.Default.SessionRequest), again: false, AnswerWithin, cancellation);
        await EnsureAsync(answer, "a session", cancellation);
        var session = await ReadAsync(answer, ConsulJson.Default.SessionAnswer, cancellation);
        return session.ID is { Length: > 0 } id ? id : throw NotUnderstood("a session without an id");
    }

    public async Task<bool> RenewSessionAsync(string session, CancellationToken cancellation)
    {
        using var answer = await SendAsync(HttpMethod.Put, $"v1/session/renew/{Escape(session)}", null, again: true, AnswerWithin, cancellation);
        if (answer.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }

        await EnsureAsync(answer, "to renew a session", cancellation);
        return true;
    }

    public Task CloseSessionAsync(string session, CancellationToken cancellation) => TellAsync($"v1/session/destroy/{Escape(session)}", null, "to end a session", cancellation);

    public Task RegisterAsync(ServiceAsk service, CancellationToken cancellation)
    {
        var check = new CheckRequest(
            CheckOf(service.Id), $"{service.Name} says so itself", Text(service.TimeToLive), StatusOf(service.Health), Text(ServiceAsk.ForgottenAfter));
        var body = new ServiceRequest(service.Id, service.Name, service.Tags, service.Address, service.Port, service.Meta, check);
        return TellAsync("v1/agent/service/register", () => Json(body, ConsulJson.Default.ServiceRequest), $"to register the service {service.Name}", cancellation);
    }

    public Task DeregisterAsync(string service, CancellationToken cancellation) =>
        TellAsync($"v1/agent/service/deregister/{Escape(service)}", null, $"to deregister {service}", cancellation);

    public Task ReportAsync(string service, ServiceHealth health, string note, CancellationToken cancellation) => TellAsync(
        $"v1/agent/check/update/{Escape(CheckOf(service))}", () => Json(new CheckReport(StatusOf(health), note), ConsulJson.Default.CheckReport), $"to hear of {service}", cancellation);

    public async Task<ServiceReading> WatchServiceAsync(string name, ulong after, TimeSpan atMost, CancellationToken cancellation)
    {
        using var answer = await SendAsync(HttpMethod.Get, $"v1/health/service/{Escape(name)}{Waiting('?', after, atMost)}", null, again: true, Patience(after, atMost), cancellation);
        await EnsureAsync(answer, $"the service {name}", cancellation);
        var found = await ReadAsync(answer, ConsulJson.Default.HealthAnswerArray, cancellation);
        return new([.. found.Where(static one => one.Service is not null).Select(ToInstance)], IndexOf(answer));
    }

    /// <summary>Address of the leading server; empty when there is none. Needs no rights.</summary>
    internal async Task<string> LeaderAsync(CancellationToken cancellation)
    {
        using var answer = await SendAsync(HttpMethod.Get, "v1/status/leader", null, again: true, AnswerWithin, cancellation);
        await EnsureAsync(answer, "who leads", cancellation);
        return await ReadAsync(answer, ConsulJson.Default.String, cancellation);
    }

    internal static string CheckOf(string service) => $"service:{service}";

    private async Task<KeyReading> KeyAsync(string path, TimeSpan within, CancellationToken cancellation)
    {
        using var answer = await SendAsync(HttpMethod.Get, path, null, again: true, within, cancellation);
        if (answer.StatusCode == HttpStatusCode.NotFound)
        {
            return new(null, IndexOf(answer));
        }

        await EnsureAsync(answer, "a key", cancellation);
        return await ReadAsync(answer, ConsulJson.Default.KeyAnswerArray, cancellation) is [var entry]
            ? new(ToEntry(entry), IndexOf(answer))
            : throw NotUnderstood("not one entry for one key");
    }

    private async Task TellAsync(string path, Func<HttpContent>? body, string what, CancellationToken cancellation)
    {
        using var answer = await SendAsync(HttpMethod.Put, path, body, again: true, AnswerWithin, cancellation);
        await EnsureAsync(answer, what, cancellation);
    }

    // A request is made anew for each attempt: one that was sent cannot be sent twice.
    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, Func<HttpContent>? body, bool again, TimeSpan within, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(within, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellation);
        try
        {
            return again ? await _again.ExecuteAsync(async token => await AttemptAsync(token), either.Token) : await AttemptAsync(either.Token);
        }
        catch (HttpRequestException failure)
        {
            throw new ConsulException(ConsulFault.Silent, $"Consul at {Agent.Address} does not answer: {Cut(failure.GetBaseException().Message)}", failure);
        }
        catch (OperationCanceledException failure) when (!cancellation.IsCancellationRequested)
        {
            throw new ConsulException(ConsulFault.Silent, $"Consul at {Agent.Address} does not answer within {within.TotalSeconds:0.#} s.", failure);
        }

        async Task<HttpResponseMessage> AttemptAsync(CancellationToken token)
        {
            using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Content = body?.Invoke() };
            return await _http.SendAsync(request, token);
        }
    }

    private async Task EnsureAsync(HttpResponseMessage answer, string what, CancellationToken cancellation)
    {
        if (!answer.IsSuccessStatusCode)
        {
            throw await RefusedAsync(answer, what, cancellation);
        }
    }

    private async Task<ConsulException> RefusedAsync(HttpResponseMessage answer, string what, CancellationToken cancellation)
    {
        var text = Cut((await answer.Content.ReadAsStringAsync(cancellation)).Trim());
        var denied = answer.StatusCode is HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized;
        return new ConsulException(
            denied ? ConsulFault.Denied : ConsulFault.Failed,
            $"Consul at {Agent.Address}, asked {(what.StartsWith("to ", StringComparison.Ordinal) ? what : $"for {what}")}, {(denied ? "does not allow it" : "failed")} ({(int)answer.StatusCode}): {text}");
    }

    private async Task<T> ReadAsync<T>(HttpResponseMessage answer, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        try
        {
            return await answer.Content.ReadFromJsonAsync(type, cancellation) ?? throw NotUnderstood("nothing");
        }
        catch (JsonException failure)
        {
            throw NotUnderstood(failure.Message);
        }
    }

    private ConsulException NotUnderstood(string what) => new(ConsulFault.Failed, $"What Consul at {Agent.Address} answers cannot be understood: {Cut(what)}");

    private static JsonContent Json<T>(T body, JsonTypeInfo<T> type) => JsonContent.Create(body, type, new MediaTypeHeaderValue("application/json"));

    private static string KeyPath(string key) => "v1/kv/" + string.Join('/', key.Split('/').Select(Escape));

    private static string Escape(string text) => Uri.EscapeDataString(text);

    private static string Waiting(char first, ulong after, TimeSpan atMost) => after == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{first}index={after}&wait={Text(atMost)}");

    private static TimeSpan Patience(ulong after, TimeSpan atMost) => after == 0 ? AnswerWithin : atMost + (atMost / JitterShare) + AnswerWithin;

    private static ulong IndexOf(HttpResponseMessage answer) =>
        answer.Headers.TryGetValues(IndexHeader, out var values) && ulong.TryParse(values.First(), NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : 0;

    private static string Text(TimeSpan span) => string.Create(CultureInfo.InvariantCulture, $"{(long)Math.Ceiling(span.TotalMilliseconds)}ms");

    private static string Cut(string text) => text.Length <= LongestReason ? text : text[..LongestReason];

    private static string VerbOf(KeyVerb verb) => verb switch
    {
        KeyVerb.Cas => "cas",
        KeyVerb.CheckIndex => "check-index",
        KeyVerb.CheckSession => "check-session",
        KeyVerb.Lock => "lock",
        KeyVerb.Unlock => "unlock",
        _ => "delete",
    };

    private static string StatusOf(ServiceHealth health) => health switch
    {
        ServiceHealth.Passing => "passing",
        ServiceHealth.Warning => "warning",
        _ => "critical",
    };

    private static KeyEntry ToEntry(KeyAnswer answer) =>
        new(answer.Key ?? "", answer.Value ?? [], answer.Session is { Length: > 0 } session ? session : null, answer.LockIndex, answer.ModifyIndex);

    private static ServiceInstance ToInstance(HealthAnswer answer)
    {
        var service = answer.Service!;
        var worst = (answer.Checks ?? []).Select(static check => check.Status switch
        {
            "passing" => ServiceHealth.Passing,
            "warning" => ServiceHealth.Warning,
            _ => ServiceHealth.Critical,
        }).DefaultIfEmpty(ServiceHealth.Passing).Max();
        var address = service.Address is { Length: > 0 } own ? own : answer.Node?.Address ?? "";
        return new(service.ID ?? "", service.Service ?? "", service.Tags ?? [], address, service.Port, service.Meta ?? [], worst);
    }
}
