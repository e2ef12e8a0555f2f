using System.Collections.Concurrent;
using Mirror.Store.Versions;

namespace Mirror.Primary.Publish;

/// <summary>The sites this node can answer for: each with its store and, while this node is its primary, that role.</summary>
public sealed class ServedSites
{
    private readonly ConcurrentDictionary<string, VersionStore> stores = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, PrimaryRole> primaries = new(StringComparer.Ordinal);

    public void Open(VersionStore store) => stores[store.Site] = store;

    public void Close(string site) => stores.TryRemove(site, out _);

    public void Enter(string site, PrimaryRole role) => primaries[site] = role;

    public void Leave(string site) => primaries.TryRemove(site, out _);

    public VersionStore? StoreOf(string site) => stores.GetValueOrDefault(site);

    public PrimaryRole? PrimaryOf(string site) => primaries.GetValueOrDefault(site);
}
