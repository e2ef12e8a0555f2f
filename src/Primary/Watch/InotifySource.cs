using System.Runtime.InteropServices;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Watch;

/// <summary>
/// inotify: a watch for every directory, for whoever may not use fanotify. A new directory is watched, then told as a whole, then searched for directories that came before its
/// watch; these are treated alike: so whatever comes at any moment is seen by a watch, or lies in what is told. Places of directories are only ever learnt from a directory that
/// is open (see <see cref="WatchedTree"/>); what cannot be opened where it should be has moved meanwhile, and is tried again after the word of that move.
/// </summary>
internal sealed partial class InotifySource : IChangeSource
{
    // struct inotify_event: watch 4, mask 4, cookie 4, length of the name 4, then the name with NULs.
    private const int EventHeader = 16;
    private const int MaskAt = 4;
    private const int NameLengthAt = 12;
    private const uint WatchEnded = 0x8000;
    private const uint Unmounted = 0x2000;
    private const byte ListedDirectory = 4;

    /// <summary>Directories that are searched in one go, between two looks at the queue: it holds 16,384 words, and each go takes some milliseconds.</summary>
    private const int slice = 256;

    /// <summary>As many may still have to be searched when somebody takes: with more, everything is told.</summary>
    private const int patience = 4096;

    private const int mostMisses = 100;
    private const int retryMilliseconds = 10;

    private readonly int inotify;
    private readonly WatchScope scope;
    private readonly string root;
    private readonly int mostWatches;
    private readonly ulong fileSystem;
    private readonly WatchedTree tree;
    private readonly Queue<WatchedDirectory> unsearched = [];
    private readonly HashSet<WatchedDirectory> unsettled = [];
    private readonly Dictionary<EntryPath, string> unwatchable = [];
    private readonly byte[] buffer = new byte[64 * 1024];
    private readonly byte[] listing = new byte[DirectoryListing.BufferLength];
    private TreeHandle? open;
    private bool walked;
    private string? limit;

    private InotifySource(int inotify, TreeHandle root, WatchScope scope, int rootWatch, ulong fileSystem, int mostWatches)
    {
        this.inotify = inotify;
        this.root = root.Root;
        this.scope = scope;
        this.fileSystem = fileSystem;
        this.mostWatches = mostWatches;
        tree = new WatchedTree(rootWatch);
        unsearched.Enqueue(tree.Root);
    }

    public string Name => "inotify";

    public int Descriptor => inotify;

    public bool IsWhole => unsearched.Count == 0 && unsettled.Count == 0;

    public string? Limit => limit ?? (unwatchable.Count == 0 ? null : $"{unwatchable.Count} directories cannot be watched, such as {unwatchable.First().Key} ({unwatchable.First().Value})");

    public string? Fault { get; private set; }

    /// <summary>Directories that are watched.</summary>
    public int Watches => tree.Count;

    /// <param name="mostWatches">The kernel's own limit is met first, unless this one is lower.</param>
    /// <returns>Null where inotify cannot be had, with the reason.</returns>
    public static InotifySource? TryOpen(TreeHandle root, WatchScope scope, int mostWatches, out string why)
    {
        why = "";
        var inotify = WatchCalls.OpenInotify();
        if (inotify < 0)
        {
            why = inotify is -WatchCalls.TooManyOpenHere or -WatchCalls.TooManyOpen
                ? $"the kernel allows this user no more inotify instances ({PosixError.Text(-inotify)}); try sysctl fs.inotify.max_user_instances=1024"
                : $"inotify: {PosixError.Text(-inotify)}";
            return null;
        }

        var stated = Posix.Stat(root.Descriptor, out FileStat stat);
        var watch = stated < 0 ? stated : WatchCalls.AddWatch(inotify, root.Descriptor);
        if (watch >= 0)
        {
            return new InotifySource(inotify, root, scope, watch, stat.FileSystem, mostWatches);
        }

        why = watch == -Errno.NoSpace ? LimitMet(0) : $"the root cannot be watched: {PosixError.Text(-watch)}";
        Posix.Close(inotify);
        return null;
    }

    // Whoever asks looks at the root's path from time to time anyway.
    public bool TakeRootSuspicion() => false;

    public void Drain(TouchCollector into)
    {
        var bytes = WatchCalls.Queued(inotify);
        while (bytes > 0 && Fault is null)
        {
            var length = Posix.Read(inotify, buffer);
            if (length <= 0)
            {
                if (length != -Errno.Again)
                {
                    GiveUp($"inotify cannot be read: {PosixError.Text(-length)}", into);
                }

                break;
            }

            bytes -= length;
            Tell(buffer.AsSpan(0, length), into);
        }

        Search(walked ? patience : slice, into);
        tree.DropAdrift(watch => WatchCalls.RemoveWatch(inotify, watch));
        Close();
    }

    public int? Work(TouchCollector into)
    {
        foreach (var directory in unsettled.ToArray())
        {
            unsettled.Remove(directory);
            Settle(directory, into);
        }

        Search(slice, into);
        Close();
        return Fault is not null ? null : unsearched.Count > 0 ? 0 : unsettled.Count > 0 ? retryMilliseconds : null;
    }

    public void Dispose()
    {
        Close();
        Posix.Close(inotify);
    }

    private static string LimitMet(int watched) =>
        $"the kernel allows this user no more inotify watches ({watched} directories are watched, others are not); try sysctl fs.inotify.max_user_watches=1048576, or run as root on Linux 5.9 or later";

    private void GiveUp(string why, TouchCollector into)
    {
        Fault ??= why;
        into.Everything();
    }

    private void Tell(ReadOnlySpan<byte> events, TouchCollector into)
    {
        while (events.Length >= EventHeader && Fault is null)
        {
            var watch = MemoryMarshal.Read<int>(events);
            var mask = MemoryMarshal.Read<uint>(events[MaskAt..]);
            var length = EventHeader + (int)MemoryMarshal.Read<uint>(events[NameLengthAt..]);
            var name = events[EventHeader..length];
            var end = name.IndexOf((byte)0);
            TellOne(watch, mask, end < 0 ? name : name[..end], into);
            events = events[length..];
        }
    }

    private void TellOne(int watch, uint mask, ReadOnlySpan<byte> name, TouchCollector into)
    {
        var what = (Happening)mask;
        if ((what & Happening.Overflow) != 0)
        {
            GiveUp("its queue ran over; sysctl fs.inotify.max_queued_events=262144 makes that rarer", into);
        }
        else if ((mask & (WatchEnded | Unmounted)) != 0)
        {
            if (watch == tree.Root.Watch)
            {
                GiveUp("the root was removed", into);
            }

            tree.Ended(watch);
        }
        else if (tree.Find(watch) is { } directory)
        {
            TellName(directory, what, name, into);
        }
    }

    private void TellName(WatchedDirectory directory, Happening what, ReadOnlySpan<byte> name, TouchCollector into)
    {
        var onDirectory = (what & Happening.OnDirectory) != 0;
        if (onDirectory && (what & Happening.MovedFrom) != 0 && tree.ChildOf(directory, name) is { } moved)
        {
            tree.Detach(moved);
        }

        if (!tree.TryPath(directory, out var place))
        {
            // On its way from one place to another: it is told as a whole when it arrives. What it has got meanwhile is searched for then.
            if (onDirectory)
            {
                unsettled.Add(directory);
            }

            return;
        }

        if (name.IsEmpty)
        {
            into.Path(place);
            return;
        }

        if (place.Bytes.Length + 1 + name.Length > EntryPath.MaxLength)
        {
            into.Everything();
            return;
        }

        var path = place.Append(name);
        if (!scope.Covers(path, what))
        {
            return;
        }

        into.Path(path);
        if (!onDirectory)
        {
            return;
        }

        if ((what & (Happening.Made | Happening.MovedTo)) != 0)
        {
            Enter(directory, place, name, into);
            into.Subtree(path);
        }
        else if (unwatchable.Remove(path) && (what & Happening.Attributes) != 0)
        {
            // Who may read it may have changed.
            Enter(directory, place, name, into);
            if (tree.ChildOf(directory, name) is { } child)
            {
                unsettled.Add(child);
            }
        }
    }

    private void Close()
    {
        open?.Dispose();
        open = null;
    }
}
