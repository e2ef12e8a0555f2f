using System.Globalization;
using System.Text;
using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>
/// Which extended attributes belong to a version, and reading them: a user's own, ACLs, file capabilities, and the administrator's (<c>trusted.</c>).
/// Others (<c>security.selinux</c>, …) say something of the machine, not of the site.
/// </summary>
internal sealed class EntryXattrs
{
    private const int UsualLength = 1024;

    private static readonly UTF8Encoding strict = new(false, true);

    // The kernel allocates as much as it is offered, so the small buffer is the quick one.
    private byte[] names = new byte[UsualLength];
    private byte[] value = new byte[UsualLength];
    private readonly byte[] path = new byte[EntryPath.MaxNameLength + 40];

    /// <summary>A path for <see cref="PosixXattrs"/>: <c>/proc/self/fd/N</c>, or a name in the directory N. Ends in NUL; valid until the next call.</summary>
    public ReadOnlySpan<byte> ProcPath(int descriptor, ReadOnlySpan<byte> name = default)
    {
        var prefix = "/proc/self/fd/"u8;
        prefix.CopyTo(path);
        descriptor.TryFormat(path.AsSpan(prefix.Length), out var digits, default, CultureInfo.InvariantCulture);
        var length = prefix.Length + digits;
        if (!name.IsEmpty)
        {
            path[length++] = (byte)'/';
            name.CopyTo(path.AsSpan(length));
            length += name.Length;
        }

        path[length] = 0;
        return path.AsSpan(0, length + 1);
    }

    /// <summary>Attributes of a name in an open directory, sorted; 0, or an error number negated.</summary>
    public int Read(int directory, ReadOnlySpan<byte> name, out IReadOnlyList<Xattr> found) =>
        Read(ProcPath(directory, name), follow: false, out found);

    /// <summary>Attributes of an open inode, sorted; 0, or an error number negated.</summary>
    public int Read(int descriptor, out IReadOnlyList<Xattr> found) => Read(ProcPath(descriptor), follow: true, out found);

    private int Read(ReadOnlySpan<byte> terminatedPath, bool follow, out IReadOnlyList<Xattr> found)
    {
        found = [];
        int length;
        while ((length = follow ? PosixXattrs.ListFollowing(terminatedPath, names) : PosixXattrs.List(terminatedPath, names)) == -Errno.OutOfRange
            && names.Length < PosixXattrs.MaxBytes)
        {
            names = new byte[PosixXattrs.MaxBytes];
        }

        if (length <= 0)
        {
            return length == -Errno.NotSupported ? 0 : length;
        }

        List<Xattr>? kept = null;
        for (var rest = names.AsSpan(0, length); !rest.IsEmpty;)
        {
            var end = rest.IndexOf((byte)0);
            var attribute = rest[..end];
            if (IsKept(attribute))
            {
                int size;
                while ((size = follow
                    ? PosixXattrs.GetFollowing(terminatedPath, rest[..(end + 1)], value)
                    : PosixXattrs.Get(terminatedPath, rest[..(end + 1)], value)) == -Errno.OutOfRange && value.Length < PosixXattrs.MaxBytes)
                {
                    value = new byte[PosixXattrs.MaxBytes];
                }

                // Gone since it was listed: then it is not there.
                if (size < 0 && size != -Errno.NoData)
                {
                    return size;
                }

                if (size >= 0)
                {
                    (kept ??= []).Add(new Xattr(strict.GetString(attribute), value.AsSpan(0, size).ToArray()));
                }
            }

            rest = rest[(end + 1)..];
        }

        if (kept is not null)
        {
            kept.Sort();
            found = kept.ToArray();
        }

        return 0;
    }

    /// <summary>A name that is not UTF-8 is not kept: no tool makes one.</summary>
    public static bool IsKept(ReadOnlySpan<byte> name) =>
        (name.StartsWith("user."u8) || name.StartsWith("trusted."u8)
            || name.SequenceEqual("security.capability"u8)
            || name.SequenceEqual("system.posix_acl_access"u8) || name.SequenceEqual("system.posix_acl_default"u8))
        && System.Text.Unicode.Utf8.IsValid(name);
}
