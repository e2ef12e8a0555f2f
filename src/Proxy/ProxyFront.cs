using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Mirror.Node.Configuration;
using Mirror.Proxy.AccessLog;
using Mirror.Proxy.Forwarding;
using Mirror.Proxy.Holding;
using Mirror.Proxy.PublicPages;
using Mirror.Proxy.Routing;

namespace Mirror.Proxy;

/// <summary>Where a public request begins: own page, site, mirror, or nothing of ours.</summary>
internal sealed class ProxyFront(
    HostTable hosts, RouteTable routes, SiteForwarder sites, MirrorForwarder mirrors, OwnPages pages, BodyRoom bodies, AccessWriter access, TimeProvider time)
{
    public async Task AnswerAsync(HttpContext context)
    {
        var begin = access.IsOn ? time.GetTimestamp() : 0;
        try
        {
            await RouteAsync(context);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException && context.RequestAborted.IsCancellationRequested)
        {
            // The client is gone; there is nobody to tell, and it is no fault of ours.
        }
        finally
        {
            if (access.IsOn)
            {
                access.Add(context, begin);
            }
        }
    }

    private Task RouteAsync(HttpContext context)
    {
        // They echo what other proxies added, and open ways to other places.
        if (HttpMethods.IsTrace(context.Request.Method)
            || (HttpMethods.IsConnect(context.Request.Method) && context.Features.Get<IHttpExtendedConnectFeature>()?.IsExtendedConnect != true))
        {
            return Answers.MethodRefusedAsync(context);
        }

        var target = hosts.Find(context.Request.Host.Host);
        if (OwnPages.Owns(context.Request.Path))
        {
            return pages.AnswerAsync(context, target?.Site.Name);
        }

        if (target is not var (site, kind))
        {
            return Answers.UnknownHostAsync(context);
        }

        // How large an upload may be is the app's to say.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }

        return ForwardAsync(context, site, kind);
    }

    private async Task ForwardAsync(HttpContext context, SiteConfig site, HostKind kind)
    {
        using var errand = new Errand(context, bodies) { WrittenDomain = kind == HostKind.Site ? hosts.WrittenDomain(site) : null };
        await (kind == HostKind.Mirror ? mirrors.ForwardAsync(context, errand, site) : sites.ForwardAsync(context, errand, site, routes.Gate(site.Name)));
    }
}
