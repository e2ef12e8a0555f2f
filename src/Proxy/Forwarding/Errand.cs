using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Mirror.Proxy.Holding;

namespace Mirror.Proxy.Forwarding;

/// <summary>One request on its way to an answer, over as many attempts as that takes: what may be done with it, and what was.</summary>
internal sealed class Errand
{
    /// <summary>Bodies up to this size are kept when keeping them makes the request repeatable.</summary>
    public const int LargestKeptBody = 64 * 1024;

    // A request that ends the app each time it is sent must not go on to end the next one for ever.
    private const int MostFailures = 4;

    private readonly HttpContext _context;
    private readonly bool _keepsBody;
    private readonly bool _hasBody;
    private byte[]? _body;
    private int _failures;

    public Errand(HttpContext context)
    {
        _context = context;
        var request = context.Request;
        var tunnel = context.Features.Get<IHttpUpgradeFeature>()?.IsUpgradableRequest == true;
        var read = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method)
            || HttpMethods.IsOptions(request.Method) || HttpMethods.IsTrace(request.Method);
        Traffic = tunnel ? Traffic.Tunnel : read ? Traffic.Read : Traffic.Write;
        Idempotent = read || HttpMethods.IsPut(request.Method) || HttpMethods.IsDelete(request.Method)
            || request.Headers.ContainsKey("Idempotency-Key");
        _hasBody = !tunnel && context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody != false;
        _keepsBody = _hasBody && Idempotent && request.ContentLength is <= LargestKeptBody;
    }

    public Traffic Traffic { get; }

    public bool Idempotent { get; }

    /// <summary>May be sent again although an app may have executed it: doing it twice is the same as once, and its body, if any, is at hand.</summary>
    public bool Repeatable => Idempotent && (!_hasBody || _keepsBody);

    /// <summary>Time spent waiting for a primary, over all attempts.</summary>
    public TimeSpan Waited { get; set; }

    /// <summary>Called before each attempt, and never while held: a held request keeps its body on the wire.</summary>
    public async Task<Attempt> PrepareAsync(IDictionary<string, string>? responseHeaders)
    {
        if (_keepsBody)
        {
            _body ??= await ReadBodyAsync();
            _context.Request.Body = new MemoryStream(_body, writable: false);
        }

        return new Attempt(this, responseHeaders);
    }

    /// <summary>
    /// Counts a failure after the request was sent, and says how long to wait before it may be sent once more; null when it may not.
    /// The first repetition is immediate: what failed was most likely one dying app.
    /// </summary>
    public TimeSpan? PauseBeforeRepeating()
    {
        if (!Repeatable || ++_failures >= MostFailures)
        {
            return null;
        }

        return _failures == 1 ? TimeSpan.Zero : TimeSpan.FromMilliseconds(25 << _failures);
    }

    private async Task<byte[]> ReadBodyAsync()
    {
        var body = new byte[(int)_context.Request.ContentLength!.Value];
        await _context.Request.Body.ReadExactlyAsync(body, _context.RequestAborted);
        return body;
    }
}

/// <summary>One sending of an errand to one app.</summary>
internal sealed class Attempt(Errand errand, IDictionary<string, string>? responseHeaders)
{
    public static readonly HttpRequestOptionsKey<Attempt> Key = new("mirror.attempt");

    public Errand Errand => errand;

    /// <summary>Added to whatever the app answers.</summary>
    public IDictionary<string, string>? ResponseHeaders => responseHeaders;

    /// <summary>Some of the request may have reached the app.</summary>
    public bool Sent { get; set; }
}
