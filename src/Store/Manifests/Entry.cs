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
    private readonly UnusualParts? unusual;

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
    public byte[] LinkTarget
    {
        get => Unusual.LinkTarget;
        init => unusual = value.Length > 0 || LinkTarget.Length > 0 ? Unusual with { LinkTarget = value } : unusual;
    }

    public uint DeviceMajor
    {
        get => Unusual.DeviceMajor;
        init => unusual = value != DeviceMajor ? Unusual with { DeviceMajor = value } : unusual;
    }

    public uint DeviceMinor
    {
        get => Unusual.DeviceMinor;
        init => unusual = value != DeviceMinor ? Unusual with { DeviceMinor = value } : unusual;
    }

    public EntryPath? HardlinkOf
    {
        get => Unusual.HardlinkOf;
        init => unusual = value != HardlinkOf ? Unusual with { HardlinkOf = value } : unusual;
    }

    /// <summary>The file occupied clearly less room than its size: holes are kept when it is written again.</summary>
    public bool Sparse
    {
        get => Unusual.Sparse;
        init => unusual = value != Sparse ? Unusual with { Sparse = value } : unusual;
    }

    /// <summary>The file never held still while it was read: its content is consistent with its hash, perhaps not with itself.</summary>
    public bool Unstable
    {
        get => Unusual.Unstable;
        init => unusual = value != Unstable ? Unusual with { Unstable = value } : unusual;
    }

    /// <summary>Sorted by name.</summary>
    public IReadOnlyList<Xattr> Xattrs
    {
        get => Unusual.Xattrs;
        init => unusual = value.Count > 0 || Xattrs.Count > 0 ? Unusual with { Xattrs = value } : unusual;
    }

    /// <summary>What few entries have, as one; null where there is nothing of it.</summary>
    internal UnusualParts? Rest
    {
        get => unusual;
        init => unusual = value;
    }

    private UnusualParts Unusual => unusual ?? UnusualParts.None;

    public bool Equals(Entry? other) => other is not null
        && Path == other.Path && Type == other.Type && Mode == other.Mode && Uid == other.Uid && Gid == other.Gid
        && Owner == other.Owner && Group == other.Group && MtimeUnixNs == other.MtimeUnixNs && Size == other.Size && Hash == other.Hash
        && (ReferenceEquals(unusual, other.unusual) || Unusual.Equals(other.Unusual));

    public override int GetHashCode() => HashCode.Combine(Path, Type, Mode, MtimeUnixNs, Size, Hash);

    internal sealed record UnusualParts
    {
        public static readonly UnusualParts None = new();

        public byte[] LinkTarget { get; init; } = [];
        public uint DeviceMajor { get; init; }
        public uint DeviceMinor { get; init; }
        public EntryPath? HardlinkOf { get; init; }
        public bool Sparse { get; init; }
        public bool Unstable { get; init; }
        public IReadOnlyList<Xattr> Xattrs { get; init; } = [];

        public bool Equals(UnusualParts? other) => other is not null
            && DeviceMajor == other.DeviceMajor && DeviceMinor == other.DeviceMinor && HardlinkOf == other.HardlinkOf
            && Sparse == other.Sparse && Unstable == other.Unstable
            && LinkTarget.AsSpan().SequenceEqual(other.LinkTarget) && Xattrs.SequenceEqual(other.Xattrs);

        public override int GetHashCode() => HashCode.Combine(DeviceMajor, DeviceMinor, HardlinkOf, Sparse, Unstable, LinkTarget.Length, Xattrs.Count);
    }
}
