using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Store.Versions;

/// <summary>
/// The stat of each file as it was captured last, by path and by inode. Whoever captures reads it, and the store changes it when a capture is recorded; both are the same one at a time.
/// </summary>
public sealed class StatTable : IReadOnlyDictionary<EntryPath, StatKey>
{
    private readonly Dictionary<EntryPath, StatKey> byPath;

    // Only a file that is new at its path asks for it, and many captures see none.
    private Dictionary<(ulong Device, ulong Inode), EntryPath>? byInode;

    internal StatTable(Dictionary<EntryPath, StatKey> byPath) => this.byPath = byPath;

    public static StatTable Empty { get; } = new([]);

    public int Count => byPath.Count;

    public IEnumerable<EntryPath> Keys => byPath.Keys;

    public IEnumerable<StatKey> Values => byPath.Values;

    public StatKey this[EntryPath path] => byPath[path];

    public bool ContainsKey(EntryPath key) => byPath.ContainsKey(key);

    public bool TryGetValue(EntryPath key, [MaybeNullWhen(false)] out StatKey value) => byPath.TryGetValue(key, out value);

    /// <summary>Where an inode was seen last: the first path of a file with several names. Numbers of inodes are used again, so this may be about another file.</summary>
    public EntryPath? PathOf(ulong device, ulong inode)
    {
        if (byInode is null)
        {
            byInode = new Dictionary<(ulong, ulong), EntryPath>(byPath.Count);
            foreach (var (path, key) in byPath)
            {
                byInode[(key.Device, key.Inode)] = path;
            }
        }

        return byInode.TryGetValue((device, inode), out var found) ? found : null;
    }

    public IEnumerator<KeyValuePair<EntryPath, StatKey>> GetEnumerator() => byPath.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal void Put(EntryPath path, StatKey key)
    {
        Remove(path);
        byPath[path] = key;
        if (byInode is not null)
        {
            byInode[(key.Device, key.Inode)] = path;
        }
    }

    internal void Remove(EntryPath path)
    {
        if (byPath.Remove(path, out var known) && byInode is not null && byInode.TryGetValue((known.Device, known.Inode), out var named) && named == path)
        {
            byInode.Remove((known.Device, known.Inode));
        }
    }
}
