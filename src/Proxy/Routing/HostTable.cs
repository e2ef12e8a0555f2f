using Mirror.Node.Configuration;

namespace Mirror.Proxy.Routing;

internal enum HostKind
{
    /// <summary>The site itself: its primary answers.</summary>
    Site,

    /// <summary>A read-only mirror: its replicas answer reads.</summary>
    Mirror,
}

/// <summary>Host name → site. Exact names first, then <c>*</c>; a site's own name wins over a mirror's.</summary>
internal sealed class HostTable
{
    private const string AnyOther = "*";
    private readonly Dictionary<string, (SiteConfig Site, HostKind Kind)> _names = new(StringComparer.OrdinalIgnoreCase);

    private readonly Dictionary<string, string> _writtenDomains = new(StringComparer.Ordinal);

    public HostTable(MirrorConfig config)
    {
        var sites = config.Sites.Values.OrderBy(site => site.Name, StringComparer.Ordinal).ToList();
        foreach (var site in sites)
        {
            Add(site, site.Hosts, HostKind.Site);
        }

        foreach (var site in sites)
        {
            Add(site, site.MirrorHosts, HostKind.Mirror);
            if (site.Hosts.FirstOrDefault(host => host != AnyOther && site.MirrorHosts.Any(mirror => mirror.EndsWith("." + host, StringComparison.OrdinalIgnoreCase))) is { } domain)
            {
                _writtenDomains[site.Name] = domain;
            }
        }
    }

    /// <summary>The site's own name under which names of its mirrors lie, so that a browser can be told something for them; null when there is none.</summary>
    public string? WrittenDomain(SiteConfig site) => _writtenDomains.GetValueOrDefault(site.Name);

    public (SiteConfig Site, HostKind Kind)? Find(string host)
    {
        if (_names.TryGetValue(Normal(host), out var exact))
        {
            return exact;
        }

        return _names.TryGetValue(AnyOther, out var any) ? any : null;
    }

    private void Add(SiteConfig site, IReadOnlyList<string> hosts, HostKind kind)
    {
        foreach (var host in hosts)
        {
            _names.TryAdd(Normal(host), (site, kind));
        }
    }

    // A fully qualified name may end in a dot and is the same name.
    private static string Normal(string host) => host.TrimEnd('.');
}
