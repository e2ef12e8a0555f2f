using System.Security.Cryptography;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Store.Versions;

/// <param name="Seen">What was at the path when it was looked at; null: nothing.</param>
internal sealed record SlotFault(EntryPath Path, string Fault, StatKey? Seen);

/// <summary>
/// Compares a slot with its manifest. Paths that belong to apps are passed over, and so is what they cannot help changing: the times of the directories they lie in.
/// Nobody but root can give files away, so for others owners, devices, set-id bits and privileged attributes are in the manifest only.
/// </summary>
internal sealed class SlotVerification(string tree, Manifest manifest, Func<EntryPath, bool> isPrivate, bool readData)
{
    /// <summary>What is said of a path that is there and not in the manifest.</summary>
    public const string Foreign = "is not in the version";

    private readonly HashSet<EntryPath> appDirectories = [];

    /// <summary>What is at a path now; null when nothing is, or nobody may look at it.</summary>
    public static StatKey? Look(string tree, EntryPath path)
    {
        try
        {
            return TreeScanner.Stat(tree, path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <param name="suspects">Only contents of these are read, of the others metadata; null: of all.</param>
    public List<SlotFault> Run(IProgress<StoreProgress>? progress, CancellationToken cancellation, IReadOnlySet<EntryPath>? suspects = null)
    {
        var scan = TreeScanner.Scan(tree, IsExcluded, cancellation);
        var faults = scan.Unreadable.Select(path => new SlotFault(path.Path, $"cannot be read: {path.Reason}", Look(tree, path.Path))).ToList();
        var unreadable = scan.Unreadable.Select(path => path.Path).ToList();
        var found = scan.Entries.ToDictionary(scanned => scanned.Entry.Path);
        long done = 0;
        foreach (var recorded in manifest.Entries)
        {
            cancellation.ThrowIfCancellationRequested();
            if (!found.Remove(recorded.Path, out var scanned))
            {
                if (!unreadable.Exists(path => recorded.Path.IsWithin(path)) && !MayBeAbsent(recorded))
                {
                    faults.Add(new SlotFault(recorded.Path, "is missing", Seen: null));
                }

                continue;
            }

            var actual = scanned.Entry;
            if (readData && suspects?.Contains(recorded.Path) != false && recorded is { Type: EntryType.File, HardlinkOf: null } && actual.Type == EntryType.File)
            {
                actual = actual with { Hash = HashOf(recorded.Path) };
                done += recorded.Size;
                progress?.Report(new StoreProgress($"verifying {tree}", done, manifest.TotalBytes));
            }

            var differences = EntryDifference.OnDisk(recorded, Excused(recorded, actual)).ToList();
            if (differences.Count > 0)
            {
                faults.Add(new SlotFault(recorded.Path, $"differs (recorded, not found): {string.Join("; ", differences)}", scanned.Stat));
            }
        }

        faults.AddRange(found.Values.Select(foreign => new SlotFault(foreign.Entry.Path, Foreign, foreign.Stat)));
        return faults;
    }

    private bool IsExcluded(EntryPath path, EntryType type)
    {
        if (type == EntryType.Directory || !isPrivate(path))
        {
            return false;
        }

        appDirectories.Add(path.Parent);
        return true;
    }

    private static bool MayBeAbsent(Entry recorded) => !Posix.IsRoot && recorded.Type is EntryType.CharacterDevice or EntryType.BlockDevice;

    private Entry Excused(Entry recorded, Entry actual)
    {
        if (recorded.Type == EntryType.Directory && appDirectories.Contains(recorded.Path))
        {
            actual = actual with { MtimeUnixNs = recorded.MtimeUnixNs };
        }

        if (Posix.IsRoot)
        {
            return actual;
        }

        const uint SetIdBits = 0xc00;
        return actual with
        {
            Uid = recorded.Uid,
            Gid = recorded.Gid,
            Owner = recorded.Owner,
            Group = recorded.Group,
            Mode = (actual.Mode & ~SetIdBits) | (recorded.Mode & SetIdBits),
            Xattrs = [.. actual.Xattrs.Where(xattr => !IsPrivileged(xattr)).Concat(recorded.Xattrs.Where(IsPrivileged)).Order()],
        };
    }

    private static bool IsPrivileged(Xattr xattr) => !xattr.Name.StartsWith("user.", StringComparison.Ordinal);

    private ContentHash HashOf(EntryPath path)
    {
        using var content = TreeScanner.OpenRead(tree, path);
        return ContentHash.From(SHA256.HashData(content));
    }
}
