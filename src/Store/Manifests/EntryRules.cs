using System.Text;

namespace Mirror.Store.Manifests;

/// <summary>What an entry by itself must satisfy, whether it came from a wire, a disk or this program. Bounds are Linux's own, or generous.</summary>
internal static class EntryRules
{
    public const uint MaxMode = 0xfff;
    public const int MaxOwnerLength = 256;
    public const int MaxXattrs = 16384;
    public const int MaxXattrName = 255;
    public const int MaxXattrValue = 65536;

    /// <exception cref="InvalidDataException">Says which path and what is wrong with it.</exception>
    public static void Check(Entry entry)
    {
        if (Fault(entry) is { } fault)
        {
            throw new InvalidDataException($"The entry \"{entry.Path}\" is refused: {fault}.");
        }
    }

    private static string? Fault(Entry entry)
    {
        var isFile = entry.Type == EntryType.File;
        var isDevice = entry.Type is EntryType.CharacterDevice or EntryType.BlockDevice;
        if (entry.Type is < EntryType.File or > EntryType.BlockDevice)
        {
            return $"its type {(int)entry.Type} is not known";
        }

        if (entry.Path.IsRoot && entry.Type != EntryType.Directory)
        {
            return "the root is not a directory";
        }

        if (entry.Mode > MaxMode)
        {
            return $"its mode {Convert.ToString(entry.Mode, 8)} has bits beyond 7777";
        }

        if (entry.Size < 0 || (!isFile && entry.Size != 0))
        {
            return $"{entry.Size} bytes is no size for a {entry.Type}";
        }

        if (isFile == entry.Hash.IsNone)
        {
            return isFile ? "it is a file without a hash" : "it has a hash and is no file";
        }

        if (!isFile && (entry.Sparse || entry.Unstable))
        {
            return "it is marked sparse or unstable and is no file";
        }

        if (!isDevice && (entry.DeviceMajor | entry.DeviceMinor) != 0)
        {
            return "it has a device number and is no device";
        }

        return LinkFault(entry) ?? NameFault("owner", entry.Owner) ?? NameFault("group", entry.Group) ?? XattrFault(entry.Xattrs);
    }

    private static string? LinkFault(Entry entry)
    {
        if (entry.Type == EntryType.Symlink
            ? entry.LinkTarget.Length is 0 or > EntryPath.MaxLength || entry.LinkTarget.AsSpan().Contains((byte)0)
            : entry.LinkTarget.Length != 0)
        {
            return entry.Type == EntryType.Symlink ? "its target is empty, too long or has a NUL" : "it has a target and is no symbolic link";
        }

        if (entry.HardlinkOf is not { } leader)
        {
            return null;
        }

        if (entry.Type == EntryType.Directory)
        {
            return "a directory cannot be a hard link";
        }

        return leader.IsRoot || leader >= entry.Path ? $"it is a hard link to \"{leader}\", which does not come before it" : null;
    }

    private static string? NameFault(string what, string name) =>
        name.Length > MaxOwnerLength ? $"its {what}'s name is longer than {MaxOwnerLength}"
        : name.Contains('\0') ? $"its {what}'s name has a NUL"
        : null;

    private static string? XattrFault(IReadOnlyList<Xattr> xattrs)
    {
        if (xattrs.Count > MaxXattrs)
        {
            return $"it has {xattrs.Count} attributes, more than {MaxXattrs}";
        }

        for (var at = 0; at < xattrs.Count; at++)
        {
            var name = xattrs[at].Name;
            if (name.Contains('\0') || Encoding.UTF8.GetByteCount(name) is 0 or > MaxXattrName)
            {
                return $"its attribute number {at + 1} has a name that is empty, too long or has a NUL";
            }

            if (!Tree.EntryXattrs.IsKept(Encoding.UTF8.GetBytes(name)))
            {
                return $"the attribute {name} is none that a version keeps";
            }

            if (xattrs[at].Value.Length > MaxXattrValue)
            {
                return $"its attribute {name} is longer than {MaxXattrValue} bytes";
            }

            if (at > 0 && xattrs[at - 1].CompareTo(xattrs[at]) >= 0)
            {
                return $"its attributes are not sorted, or {name} is there twice";
            }
        }

        return null;
    }
}
