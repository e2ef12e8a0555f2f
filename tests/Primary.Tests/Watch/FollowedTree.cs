using Mirror.Primary.Watch;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Tests.Watch;

/// <summary>
/// What somebody knows of a tree who looks at what a watcher tells, then, and at nothing else. When a change was told too early, too late or under a wrong path, it knows something
/// that is not so.
/// </summary>
internal sealed class FollowedTree(string root)
{
    private readonly Dictionary<EntryPath, StatKey> known = [];
    private readonly Dictionary<EntryPath, HashSet<EntryPath>> below = [];

    /// <summary>How often everything had to be looked at.</summary>
    public int FullLooks { get; private set; }

    public int Looks { get; private set; }

    public void Follow(TouchedPaths touched)
    {
        Looks++;
        if (touched.Everything)
        {
            FullLooks++;
            LookThrough(EntryPath.Root);
            return;
        }

        foreach (var subtree in touched.Subtrees)
        {
            LookThrough(subtree);
        }

        foreach (var path in touched.Paths)
        {
            LookAt(path);
        }
    }

    public void IsTheTreeAsItIs()
    {
        var now = TreeScanner.Scan(root, static (_, _) => false, CancellationToken.None).Entries;
        var real = now.Where(static entry => !entry.Entry.Path.IsRoot).ToDictionary(static entry => entry.Entry.Path, static entry => entry.Stat);
        Assert.Equal(real.Keys.Except(known.Keys), []);
        Assert.Equal(known.Keys.Except(real.Keys), []);
        var directories = now.Where(static entry => entry.Entry.Type == EntryType.Directory).Select(static entry => entry.Entry.Path).ToHashSet();
        Assert.Equal(real.Where(pair => !directories.Contains(pair.Key) && known[pair.Key] != pair.Value).Select(static pair => pair.Key), []);
    }

    private void LookAt(EntryPath path)
    {
        if (path.IsRoot)
        {
            return;
        }

        var stat = TreeScanner.Stat(root, path);
        if (!Directory.Exists($"{root}/{path}"))
        {
            Forget(path);
        }

        if (stat is { } there)
        {
            Know(path, there);
        }
    }

    private void LookThrough(EntryPath path)
    {
        Forget(path);
        LookAt(path);
        var top = path.IsRoot ? root : $"{root}/{path}";
        try
        {
            foreach (var found in TreeScanner.Scan(top, static (_, _) => false, CancellationToken.None).Entries)
            {
                if (!found.Entry.Path.IsRoot)
                {
                    Know(path.IsRoot ? found.Entry.Path : EntryPath.Parse([.. path.Bytes, (byte)'/', .. found.Entry.Path.Bytes]), found.Stat);
                }
            }
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            // It went, or another thing stands there, while it was looked at: the watcher has more to tell.
        }
    }

    private void Know(EntryPath path, StatKey stat)
    {
        known[path] = stat;
        if (!below.TryGetValue(path.Parent, out var siblings))
        {
            below[path.Parent] = siblings = [];
        }

        siblings.Add(path);
    }

    private void Forget(EntryPath path)
    {
        known.Remove(path);
        if (below.Remove(path, out var children))
        {
            foreach (var child in children)
            {
                Forget(child);
            }
        }
    }
}
