using System.Net;
using Microsoft.AspNetCore.Http;
using Mirror.Proxy.Routing;

namespace Mirror.Proxy.PublicPages;

/// <summary>The paths under <c>/.mirror/</c>, which belong to the proxy under every host name. Names and numbers only: no addresses.</summary>
internal sealed class OwnPages(RouteTable routes)
{
    public static bool Owns(PathString path) => path.StartsWithSegments("/.mirror", StringComparison.Ordinal);

    /// <param name="site">The site whose name was asked for, if any.</param>
    public Task AnswerAsync(HttpContext context, string? site)
    {
        context.Response.Headers.CacheControl = "no-store";
        return context.Request.Path.Value switch
        {
            "/.mirror/healthz" => context.Response.WriteAsync("ok\n", context.RequestAborted),
            "/.mirror/status" => StatusAsync(context, site),
            _ => Answers.UnknownPageAsync(context),
        };
    }

    // Readers of one site learn of that one; who sits at this machine learns of all.
    private Task StatusAsync(HttpContext context, string? site)
    {
        if (context.Connection.RemoteIpAddress is { } remote && IPAddress.IsLoopback(remote))
        {
            return WriteAsync(context, routes.Sites);
        }

        return site is null ? Answers.UnknownPageAsync(context) : WriteAsync(context, [site]);
    }

    private Task WriteAsync(HttpContext context, IEnumerable<string> sites) =>
        context.Response.WriteAsJsonAsync(new ProxyStatus(sites.ToDictionary(site => site, StatusOf)), context.RequestAborted);

    private SiteStatus StatusOf(string site)
    {
        var gate = routes.Gate(site).Status();
        return new SiteStatus(
            gate.Primary, gate.Epoch, gate.HighestEpoch, gate.Closed, gate.Held, gate.InFlight, gate.Tunnels,
            [.. routes.View(site).Replicas.Select(replica => new ReplicaStatus(replica.Node, replica.Version.ToString(), replica.Lag?.TotalSeconds))]);
    }

    private sealed record ProxyStatus(IReadOnlyDictionary<string, SiteStatus> Sites);

    /// <param name="HoldingBecause">Null while requests pass.</param>
    private sealed record SiteStatus(
        string? Primary, ulong Epoch, ulong HighestEpoch, string? HoldingBecause, int Held, int InFlight, int Tunnels,
        IReadOnlyList<ReplicaStatus> Replicas);

    private sealed record ReplicaStatus(string Node, string Version, double? LagSeconds);
}
