using System.Collections.Immutable;

namespace Mirror.Store.Manifests;

/// <summary>The hard-link groups of a manifest: the first path of each, and the paths that name it.</summary>
internal sealed class LinkGroups
{
    private readonly ImmutableDictionary<EntryPath, ImmutableHashSet<EntryPath>> members;

    private LinkGroups(ImmutableDictionary<EntryPath, ImmutableHashSet<EntryPath>> members) => this.members = members;

    public static LinkGroups None { get; } = new(ImmutableDictionary<EntryPath, ImmutableHashSet<EntryPath>>.Empty);

    public static LinkGroups Of(IEnumerable<Entry> entries) => None.With([], entries);

    /// <summary>Without the leader itself.</summary>
    public IReadOnlyCollection<EntryPath> MembersOf(EntryPath leader) => members.TryGetValue(leader, out var found) ? found : [];

    public LinkGroups With(IEnumerable<Entry> gone, IEnumerable<Entry> put)
    {
        var next = members;
        foreach (var entry in gone)
        {
            if (entry.HardlinkOf is { } leader && next.TryGetValue(leader, out var group))
            {
                group = group.Remove(entry.Path);
                next = group.IsEmpty ? next.Remove(leader) : next.SetItem(leader, group);
            }
        }

        foreach (var entry in put)
        {
            if (entry.HardlinkOf is { } leader)
            {
                next = next.SetItem(leader, next.GetValueOrDefault(leader, ImmutableHashSet<EntryPath>.Empty).Add(entry.Path));
            }
        }

        return ReferenceEquals(next, members) ? this : new LinkGroups(next);
    }
}
