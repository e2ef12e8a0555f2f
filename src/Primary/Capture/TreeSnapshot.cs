using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Capture;

/// <summary>
/// A snapshot of a live tree that the hook <c>before</c> has put beside it, and <c>after</c> takes away again: what a capture reads instead of the tree, all of one instant. Snapshots of LVM, btrfs and ZFS keep
/// inodes and times but lie on a device of their own; that is spoken of as the live tree's, so that what did not change is known again. One that was left over from before would give the state
/// of then as that of now: so there must be nothing at its place before the hook has run.
/// </summary>
internal sealed class TreeSnapshot
{
    private readonly ulong device;
    private readonly ulong liveDevice;

    private TreeSnapshot(string tree, DateTimeOffset since, ulong device, ulong liveDevice)
    {
        Tree = tree;
        Since = since;
        this.device = device;
        this.liveDevice = liveDevice;
    }

    public string Tree { get; }

    /// <summary>It is not older than this. What the tree held then may have changed once more within the same stamp, right after the snapshot.</summary>
    public DateTimeOffset Since { get; }

    /// <summary>Before the hook has run.</summary>
    /// <exception cref="CaptureException">Something is there already.</exception>
    public static void RequireNone(string place, string site)
    {
        if (File.Exists(place) || (Directory.Exists(place) && Directory.EnumerateFileSystemEntries(place).Any()))
        {
            throw new CaptureException(
                $"{place} (files.read-from of {site}) has something in it before the hook `before` has run: an old snapshot would be captured as the present state. Nothing was captured. Unmount or remove what is there, " +
                "and let the hook `after` do so each time, whatever happened before.");
        }
    }

    /// <param name="since">A moment before the hook ran.</param>
    /// <exception cref="CaptureException">There is no tree, or an empty one beside a live one that is not.</exception>
    public static TreeSnapshot Open(string place, string root, DateTimeOffset since)
    {
        const string help = "Nothing was captured and nothing is taken for deleted. See that the hook `before` mounts or makes the snapshot there, and fails when it cannot.";
        if (!Directory.Exists(place))
        {
            throw new CaptureException($"The hook `before` has run, and there is no directory {place} (files.read-from). {help}");
        }

        if (!Directory.EnumerateFileSystemEntries(place).Any() && Directory.Exists(root) && Directory.EnumerateFileSystemEntries(root).Any())
        {
            throw new CaptureException($"The hook `before` has run, and {place} (files.read-from) is empty, while {root} is not. {help}");
        }

        // Without the live tree nothing can be compared with it, and the snapshot's own device does as well.
        var own = TreeScanner.Stat(place, EntryPath.Root)!.Value.Device;
        return new TreeSnapshot(place, since, own, Directory.Exists(root) ? TreeScanner.Stat(root, EntryPath.Root)!.Value.Device : own);
    }

    /// <summary>What is remembered of a file: as if it lay in the live tree.</summary>
    public StatKey AsLive(StatKey read) => read.Device == device ? read with { Device = liveDevice } : read;

    /// <summary>What is read of a file that is as it was remembered.</summary>
    public StatKey AsRead(StatKey remembered) => remembered.Device == liveDevice ? remembered with { Device = device } : remembered;

    /// <summary>The live tree's device, for this one's.</summary>
    public ulong AsLive(ulong read) => read == device ? liveDevice : read;
}
