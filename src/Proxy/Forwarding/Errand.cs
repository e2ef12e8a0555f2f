using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Mirror.Proxy.Holding;

namespace Mirror.Proxy.Forwarding;

/// <summary>One request on its way to an answer, over as many attempts as that takes: what may be done with it, and what was.</summary>
internal sealed class Errand : IDisposable
{
    // A body up to this size has reached this machine anyway, and costs nothing where it is.
    private const int Small = 64 * 1024;

    // A request that ends the app each time it is sent must not go on to end the next one for ever.
    private const int MostFailures = 4;

    private readonly HttpContext _context;
    private readonly BodyRoom _room;
    private readonly bool _hasBody;
    private KeptBody? _body;
    private int _failures;

    public Errand(HttpContext context, BodyRoom room)
    {
        _context = context;
        _room = room;
        var request = context.Request;
        var tunnel = context.Features.Get<IHttpUpgradeFeature>()?.IsUpgradableRequest == true || context.Features.Get<IHttpExtendedConnectFeature>()?.IsExtendedConnect == true;
        var read = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method)
            || HttpMethods.IsOptions(request.Method) || HttpMethods.IsTrace(request.Method);
        Traffic = tunnel ? Traffic.Tunnel : read ? Traffic.Read : Traffic.Write;
        Idempotent = read || HttpMethods.IsPut(request.Method) || HttpMethods.IsDelete(request.Method)
            || request.Headers.ContainsKey("Idempotency-Key");
        _hasBody = !tunnel && context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody != false;
        if (_hasBody && Idempotent)
        {
            _body = new KeptBody(request.Body, room);
        }
    }

    public Traffic Traffic { get; }

    public bool Idempotent { get; }

    /// <summary>Where a browser is told that it wrote, for the site's mirrors; null: nowhere.</summary>
    public string? WrittenDomain { get; init; }

    /// <summary>May be sent again although an app may have executed it: doing it twice is the same as once, and its body, if any, is at hand.</summary>
    public bool Repeatable => Idempotent && (_body?.IsWhole ?? !_hasBody);

    /// <summary>Time spent waiting for a primary, over all attempts.</summary>
    public TimeSpan Waited { get; set; }

    /// <summary>While the request waits, takes in a large body, which its client sends meanwhile. Who asked first whether to send it (Expect) is not told to.</summary>
    public Task WhileWaitingAsync(Task over)
    {
        var request = _context.Request;
        if (!_hasBody || request.ContentLength is <= Small || request.Headers.Expect.Count > 0)
        {
            return Task.CompletedTask;
        }

        _body ??= new KeptBody(request.Body, _room);
        return _body.FetchAsync(over);
    }

    /// <summary>Called before each attempt.</summary>
    public void Prepare()
    {
        if (_body is { } body)
        {
            _context.Request.Body = body.Open(keeps: Idempotent);
        }
    }

    public void Dispose() => _body?.Dispose();

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
}
