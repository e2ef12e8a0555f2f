using System.Runtime.InteropServices;
using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>The kernel's <c>struct statx</c>: the same 256 bytes on every architecture.</summary>
[StructLayout(LayoutKind.Sequential, Size = 256)]
internal struct FileStat
{
    public uint Mask;
    public uint BlockSize;
    public ulong Attributes;
    public uint Links;
    public uint User;
    public uint Group;
    public ushort ModeWithType;
    public ushort Spare;
    public ulong Inode;
    public ulong RawSize;
    public ulong Blocks;
    public ulong AttributesMask;
    public FileTime Access;
    public FileTime Birth;
    public FileTime Change;
    public FileTime Modification;
    public uint DeviceMajor;
    public uint DeviceMinor;
    public uint FileSystemMajor;
    public uint FileSystemMinor;

    public const uint TypeMask = 0xf000;
    public const uint PermissionMask = 0xfff;
    public const uint BirthMask = 0x800;

    public readonly uint Permissions => ModeWithType & PermissionMask;

    public readonly ulong FileSystem => ((ulong)FileSystemMajor << 32) | FileSystemMinor;

    public readonly long Size => (long)RawSize;

    public readonly StatKey Key => new(FileSystem, Inode, Size, Modification.UnixNs, Change.UnixNs);

    /// <summary>When the inode was made; null where the file system does not tell.</summary>
    public readonly long? BornNs => (Mask & BirthMask) == 0 ? null : Birth.UnixNs;

    /// <summary>Null for a socket and for anything unheard of.</summary>
    public readonly EntryType? Type => (ModeWithType & TypeMask) switch
    {
        0x8000 => EntryType.File,
        0x4000 => EntryType.Directory,
        0xa000 => EntryType.Symlink,
        0x1000 => EntryType.Fifo,
        0x2000 => EntryType.CharacterDevice,
        0x6000 => EntryType.BlockDevice,
        _ => null,
    };

    public static uint TypeBits(EntryType type) => type switch
    {
        EntryType.File => 0x8000,
        EntryType.Directory => 0x4000,
        EntryType.Symlink => 0xa000,
        EntryType.Fifo => 0x1000,
        EntryType.CharacterDevice => 0x2000,
        EntryType.BlockDevice => 0x6000,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Unknown entry type."),
    };

    [StructLayout(LayoutKind.Sequential)]
    internal struct FileTime
    {
        public long Seconds;
        public uint Ns;
        public int Spare;

        /// <summary>Years 1677 to 2262; a time beyond is held at the border.</summary>
        public readonly long UnixNs
        {
            get
            {
                var ns = ((Int128)Seconds * 1_000_000_000) + Ns;
                return ns > long.MaxValue ? long.MaxValue : ns < long.MinValue ? long.MinValue : (long)ns;
            }
        }
    }
}
