using Microsoft.AspNetCore.Http;
using Mirror.Proxy.Routing;

namespace Mirror.Proxy.PublicPages;

/// <summary>The paths under <c>/.mirror/</c>, which belong to the proxy under every host name. Names and numbers only: no addresses.</summary>
internal sealed class OwnPages(RouteTable routes)
{
    public static bool Owns(PathString path) => path.StartsWithSegments("/.mirror", StringComparison.Ordinal);

    public Task AnswerAsync(HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-store";
        return context.Request.Path.Value switch
        {
            "/.mirror/healthz" => context.Response.WriteAsync("ok\n", context.RequestAborted),
            "/.mirror/status" => context.Response.WriteAsJsonAsync(Status(), context.RequestAborted),
            _ => Answers.UnknownPageAsync(context),
        };
    }

    private ProxyStatus Status() => new(routes.Sites.ToDictionary(
        site => site,
        site =>
        {
            var gate = routes.Gate(site).Status();
            return new SiteStatus(
                gate.Primary, gate.Epoch, gate.HighestEpoch, gate.Closed, gate.Held, gate.InFlight, gate.Tunnels,
                [.. routes.View(site).Replicas.Select(replica => new ReplicaStatus(replica.Node, replica.Version.ToString(), replica.Lag?.TotalSeconds))]);
        }));

    private sealed record ProxyStatus(IReadOnlyDictionary<string, SiteStatus> Sites);

    /// <param name="HoldingBecause">Null while requests pass.</param>
    private sealed record SiteStatus(
        string? Primary, ulong Epoch, ulong HighestEpoch, string? HoldingBecause, int Held, int InFlight, int Tunnels,
        IReadOnlyList<ReplicaStatus> Replicas);

    private sealed record ReplicaStatus(string Node, string Version, double? LagSeconds);
}
