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
        }
    }

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
