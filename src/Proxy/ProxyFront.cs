using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Mirror.Proxy.Forwarding;
using Mirror.Proxy.PublicPages;
using Mirror.Proxy.Routing;

namespace Mirror.Proxy;

/// <summary>Where a public request begins: own page, site, mirror, or nothing of ours.</summary>
internal sealed class ProxyFront(
    HostTable hosts, RouteTable routes, SiteForwarder sites, MirrorForwarder mirrors, OwnPages pages, TimeProvider time)
{
    public Task AnswerAsync(HttpContext context)
    {
        if (OwnPages.Owns(context.Request.Path))
        {
            return pages.AnswerAsync(context);
        }

        if (hosts.Find(context.Request.Host.Host) is not { } target)
        {
            return Answers.UnknownHostAsync(context);
        }

        // How large an upload may be is the app's to say.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }

        return target.Kind == HostKind.Mirror
            ? mirrors.ForwardAsync(context, target.Site)
            : sites.ForwardAsync(context, new Errand(context, time), target.Site.Name, routes.Gate(target.Site.Name));
    }
}
