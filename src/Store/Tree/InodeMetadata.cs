using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>
/// Gives one inode the owner, attributes, mode and time its entry names. The order matters: changing the owner clears set-uid and capabilities; a read-only mode would
/// keep its owner from setting attributes; and everything touches the time. What the process may not do is noted, not thrown.
/// </summary>
internal sealed class InodeMetadata(OwnerNames owners, List<UnreadablePath> unset)
{
    /// <summary>ext4 says "no space" for one attribute larger than a block; below this size it means the disk.</summary>
    private const int OddlyLargeAttribute = 2048;

    private const long NsPerSecond = 1_000_000_000;
    private const uint SetIdBits = 0xc00;
    private const uint Unchanged = uint.MaxValue;

    private readonly EntryXattrs xattrs = new();

    /// <param name="descriptor">Any descriptor of the inode, also one opened with <see cref="Posix.PathOnly"/>.</param>
    /// <param name="pathOnly">It is such a one.</param>
    /// <param name="extraMode">Bits to add for now, such as write for the owner of a directory that is still being filled.</param>
    /// <param name="withTime">False leaves the modification time.</param>
    public void Apply(int descriptor, bool pathOnly, Entry entry, string root, uint extraMode = 0, bool withTime = true)
    {
        PosixError.Check(Posix.Stat(descriptor, out FileStat stat), "look at", root, entry.Path);
        var asFound = IsOwned(stat, entry);
        if (!asFound)
        {
            SetOwner(descriptor, stat, entry, root);
        }

        asFound &= SetXattrs(descriptor, pathOnly, entry, root);

        // A change of owner or of an ACL may change the mode as well.
        if (entry.Type != EntryType.Symlink && !(asFound && stat.Permissions == (entry.Mode | extraMode)))
        {
            SetMode(descriptor, pathOnly, entry, entry.Mode | extraMode, root);
        }

        if (withTime)
        {
            SetTime(descriptor, pathOnly, entry, root);
        }
    }

    private void SetTime(int descriptor, bool pathOnly, Entry entry, string root)
    {
        var error = pathOnly
            ? Posix.SetModificationTime(xattrs.ProcPath(descriptor), entry.MtimeUnixNs)
            : Posix.SetModificationTime(descriptor, entry.MtimeUnixNs);
        if (!Judge(error, entry.Path, root, "set the time of", "its modification time could not be set")
            || entry.MtimeUnixNs / NsPerSecond is > int.MinValue and < int.MaxValue)
        {
            return;
        }

        // Before 1901 or after 2038 it depends on the file system, which takes the nearest time it can keep and says nothing.
        PosixError.Check(Posix.Stat(descriptor, out FileStat now), "look at", root, entry.Path);
        if (now.Modification.UnixNs != entry.MtimeUnixNs)
        {
            unset.Add(new UnreadablePath(entry.Path, $"the file system cannot keep its modification time, {entry.MtimeUnixNs} ns"));
        }
    }

    private bool IsOwned(in FileStat stat, Entry entry) => stat.User == owners.UserId(entry.Owner, entry.Uid) && stat.Group == owners.GroupId(entry.Group, entry.Gid);

    private void SetOwner(int descriptor, in FileStat stat, Entry entry, string root)
    {
        var user = owners.UserId(entry.Owner, entry.Uid);
        var group = owners.GroupId(entry.Group, entry.Gid);
        var error = Posix.ChangeOwner(descriptor, user, group);
        if (error is -Errno.NotPermitted && stat.User != user && stat.Group != group)
        {
            // Giving a file away is root's; giving it to a group one belongs to is not.
            _ = Posix.ChangeOwner(descriptor, Unchanged, group);
        }

        Judge(error, entry.Path, root, "set the owner of", $"it should belong to {Name(entry.Owner, entry.Uid)}:{Name(entry.Group, entry.Gid)}");

        static string Name(string name, uint id) => name.Length == 0 ? id.ToString() : name;
    }

    private void SetMode(int descriptor, bool pathOnly, Entry entry, uint mode, string root)
    {
        // A descriptor that is a path only cannot be changed by itself; its link in /proc names the same inode.
        var error = pathOnly ? Posix.ChangeMode(xattrs.ProcPath(descriptor), mode) : Posix.ChangeMode(descriptor, mode);
        if (!Judge(error, entry.Path, root, "set the mode of", "its mode could not be set") || (mode & SetIdBits) == 0 || Posix.IsRoot)
        {
            return;
        }

        // The kernel drops set-gid silently when the group is not one of ours.
        PosixError.Check(Posix.Stat(descriptor, out FileStat now), "look at", root, entry.Path);
        if (now.Permissions != mode)
        {
            unset.Add(new UnreadablePath(entry.Path, $"its mode should be {Convert.ToString(mode, 8)} and is {Convert.ToString(now.Permissions, 8)}"));
        }
    }

    /// <summary>Exactly the entry's attributes: a new inode may have inherited ACLs from its directory, an old directory may have others.</summary>
    /// <returns>True when there was nothing to do, for there are none and shall be none.</returns>
    private bool SetXattrs(int descriptor, bool pathOnly, Entry entry, string root)
    {
        if (!pathOnly && entry.Xattrs.Count == 0 && PosixXattrs.CountOpen(descriptor) is 0 or -Errno.NotSupported)
        {
            return true;
        }

        PosixError.Check(xattrs.Read(descriptor, out var present), "read the attributes of", root, entry.Path);
        foreach (var old in present)
        {
            if (!entry.Xattrs.Any(wanted => wanted.Name == old.Name))
            {
                var error = PosixXattrs.RemoveFollowing(xattrs.ProcPath(descriptor), old.Name);
                Judge(error == -Errno.NoData ? 0 : error, entry.Path, root, "remove an attribute of", $"the attribute {old.Name} could not be removed");
            }
        }

        foreach (var wanted in entry.Xattrs)
        {
            if (present.Contains(wanted))
            {
                continue;
            }

            var error = PosixXattrs.SetFollowing(xattrs.ProcPath(descriptor), wanted.Name, wanted.Value);
            if (error is -Errno.NotSupported or -Errno.TooBig or -Errno.OutOfRange
                || (error == -Errno.NoSpace && wanted.Value.Length > OddlyLargeAttribute))
            {
                unset.Add(new UnreadablePath(entry.Path, $"the file system refused the attribute {wanted.Name}: {PosixError.Text(-error)}"));
                continue;
            }

            Judge(error, entry.Path, root, "set an attribute of", $"the attribute {wanted.Name} could not be set");
        }

        return present.Count == 0 && entry.Xattrs.Count == 0;
    }

    /// <summary>True when it was done; false when it was not permitted, which is noted; anything else is an error.</summary>
    private bool Judge(int result, EntryPath path, string root, string action, string note)
    {
        if (result >= 0)
        {
            return true;
        }

        if (result is not (-Errno.NotPermitted or -Errno.AccessDenied))
        {
            PosixError.Throw(action, root, path, -result);
        }

        unset.Add(new UnreadablePath(path, $"{note}: {PosixError.Text(-result)}"));
        return false;
    }
}
