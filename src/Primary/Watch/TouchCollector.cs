using System.Runtime.InteropServices;
using Mirror.Store.Manifests;

namespace Mirror.Primary.Watch;

/// <summary>
/// Gathers touches until somebody takes them. Its memory is bounded: past <c>most</c> paths, crowded directories are told as a whole, and when that is not enough, everything
/// is. Any thread may add, any may take.
/// </summary>
internal sealed class TouchCollector(int most = TouchCollector.Most)
{
    public const int Most = 65_536;

    /// <summary>So many touched entries of one directory make it a crowded one.</summary>
    private const int crowd = 32;

    private readonly Lock gate = new();
    private HashSet<EntryPath> paths = [];
    private HashSet<EntryPath> subtrees = [];
    private TaskCompletionSource something = NewSignal();
    private Exception? fault;
    private bool everything;
    private bool signalled;

    public void Path(EntryPath path) => Add(path, null);

    public void Subtree(EntryPath path) => Add(path, path);

    /// <summary>What was taken and could not be used, for example.</summary>
    public void Add(TouchedPaths touched)
    {
        if (touched.Everything)
        {
            Everything();
            return;
        }

        foreach (var path in touched.Paths)
        {
            Add(path, null);
        }

        foreach (var path in touched.Subtrees)
        {
            Add(null, path);
        }
    }

    public void Everything()
    {
        lock (gate)
        {
            everything = true;
            paths.Clear();
            subtrees.Clear();
            Signal();
        }
    }

    /// <summary>Nothing will be added any more: whoever waits is told why.</summary>
    public void Fail(Exception why)
    {
        lock (gate)
        {
            fault = why;
            something.TrySetException(why);
        }
    }

    public Task TouchedAsync(CancellationToken cancellation)
    {
        lock (gate)
        {
            return fault is not null ? Task.FromException(fault) : something.Task.WaitAsync(cancellation);
        }
    }

    public TouchedPaths Take()
    {
        lock (gate)
        {
            Without();
            var taken = everything ? TouchedPaths.All
                : paths.Count + subtrees.Count == 0 ? TouchedPaths.Nothing
                : new TouchedPaths(false, paths, subtrees);
            paths = [];
            subtrees = [];
            everything = false;
            if (signalled && fault is null)
            {
                something = NewSignal();
                signalled = false;
            }

            return taken;
        }
    }

    private void Add(EntryPath? path, EntryPath? subtree)
    {
        lock (gate)
        {
            if (!everything)
            {
                var more = (path is { } touched && paths.Add(touched)) | (subtree is { } below && subtrees.Add(below));
                if (more && paths.Count + subtrees.Count > most)
                {
                    Collapse();
                }
            }

            Signal();
        }
    }

    private void Signal()
    {
        if (!signalled)
        {
            signalled = true;
            something.TrySetResult();
        }
    }

    private void Collapse()
    {
        Without();
        if (paths.Count > most / 2)
        {
            var counts = new Dictionary<EntryPath, int>();
            foreach (var path in paths)
            {
                CollectionsMarshal.GetValueRefOrAddDefault(counts, path.Parent, out _)++;
            }

            foreach (var (directory, count) in counts)
            {
                // The root's own entries are no reason to look below all of them.
                if (count >= crowd && !directory.IsRoot)
                {
                    paths.Add(directory);
                    subtrees.Add(directory);
                }
            }

            Without();
        }

        if (paths.Count + subtrees.Count > most / 2)
        {
            Everything();
        }
    }

    // What lies below a subtree need not be said. A directory sorts right before what it holds, so one look back suffices.
    private void Without()
    {
        if (subtrees.Count == 0)
        {
            return;
        }

        if (subtrees.Contains(EntryPath.Root))
        {
            Everything();
            return;
        }

        var ordered = new List<EntryPath>(subtrees.Count);
        foreach (var subtree in subtrees.Order())
        {
            if (ordered.Count > 0 && subtree.IsWithin(ordered[^1]))
            {
                subtrees.Remove(subtree);
            }
            else
            {
                ordered.Add(subtree);
            }
        }

        paths.RemoveWhere(path =>
        {
            var at = ordered.BinarySearch(path);
            return at < 0 && ~at > 0 && path.IsWithin(ordered[~at - 1]);
        });
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
