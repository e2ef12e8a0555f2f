using System.Text;

namespace Mirror.Store.Manifests;

public enum EntryType
{
    File = 1,
    Directory = 2,
    Symlink = 3,
    Fifo = 4,
    CharacterDevice = 5,
    BlockDevice = 6,
}

/// <summary>An extended attribute; ACLs are the attributes <c>system.posix_acl_*</c>.</summary>
public sealed record Xattr(string Name, byte[] Value) : IComparable<Xattr>
{
    /// <summary>By the bytes of the name, as the kernel has it.</summary>
    public int CompareTo(Xattr? other) =>
        other is null ? 1 : Encoding.UTF8.GetBytes(Name).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(other.Name));

    public bool Equals(Xattr? other) => other is not null && Name == other.Name && Value.AsSpan().SequenceEqual(other.Value);

    public override int GetHashCode() => string.GetHashCode(Name, StringComparison.Ordinal);
}

/// <summary>
/// One line of a manifest: what a version says of one path. Equality is by value over everything, so two equal entries need no work.
/// A hard-link group's first path (in manifest order) is an ordinary file; the others name it in <see cref="HardlinkOf"/> and repeat its data.
/// </summary>
public sealed record Entry
{
    public required EntryPath Path { get; init; }
    public required EntryType Type { get; init; }

    /// <summary>Permission bits with set-uid, set-gid and sticky: <c>07777</c>.</summary>
    public required uint Mode { get; init; }

    public uint Uid { get; init; }
    public uint Gid { get; init; }

    /// <summary>Names beside the numbers; empty when the system knows none. Restoring prefers the name where it exists.</summary>
    public string Owner { get; init; } = "";
    public string Group { get; init; } = "";

    public long MtimeUnixNs { get; init; }

    /// <summary>Bytes of a file; 0 for everything else.</summary>
    public long Size { get; init; }

    /// <summary>SHA-256 of a file's content; none for everything else.</summary>
    public ContentHash Hash { get; init; }

    /// <summary>Target of a symbolic link, as bytes; empty otherwise.</summary>
    public byte[] LinkTarget { get; init; } = [];

    public uint DeviceMajor { get; init; }
    public uint DeviceMinor { get; init; }

    public EntryPath? HardlinkOf { get; init; }

    /// <summary>The file occupied clearly less room than its size: holes are kept when it is written again.</summary>
    public bool Sparse { get; init; }

    /// <summary>The file never held still while it was read: its content is consistent with its hash, perhaps not with itself.</summary>
    public bool Unstable { get; init; }

    /// <summary>Sorted by name.</summary>
    public IReadOnlyList<Xattr> Xattrs { get; init; } = [];

    public bool Equals(Entry? other) => other is not null
        && Path == other.Path && Type == other.Type && Mode == other.Mode && Uid == other.Uid && Gid == other.Gid
        && Owner == other.Owner && Group == other.Group && MtimeUnixNs == other.MtimeUnixNs && Size == other.Size && Hash == other.Hash
        && DeviceMajor == other.DeviceMajor && DeviceMinor == other.DeviceMinor && HardlinkOf == other.HardlinkOf
        && Sparse == other.Sparse && Unstable == other.Unstable
        && LinkTarget.AsSpan().SequenceEqual(other.LinkTarget) && Xattrs.SequenceEqual(other.Xattrs);

    public override int GetHashCode() => HashCode.Combine(Path, Type, Mode, MtimeUnixNs, Size, Hash);
}
