using System.Runtime.InteropServices;
using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>One name of a directory, with the type the directory claims (0: it does not say).</summary>
internal readonly record struct ListedName(EntryPath Path, byte Type)
{
    public const byte Unknown = 0;
    public const byte SocketType = 12;

    public EntryType? Claimed => Type switch
    {
        1 => EntryType.Fifo,
        2 => EntryType.CharacterDevice,
        4 => EntryType.Directory,
        6 => EntryType.BlockDevice,
        8 => EntryType.File,
        10 => EntryType.Symlink,
        _ => null,
    };
}

/// <summary>Lists a directory by the kernel's own records (<c>linux_dirent64</c>): inode 8, offset 8, length 2, type 1, then the name with a NUL.</summary>
internal static class DirectoryListing
{
    private const int LengthAt = 16;
    private const int TypeAt = 18;
    private const int NameBegins = 19;

    public const int BufferLength = 64 * 1024;

    /// <summary>Adds what the directory holds, in no order; 0, or an error number negated.</summary>
    /// <param name="tooLong">Set when a name makes a path longer than an <see cref="EntryPath"/> may be; that name is not added.</param>
    public static int Read(int descriptor, EntryPath directory, byte[] buffer, List<ListedName> into, out bool tooLong)
    {
        tooLong = false;
        while (true)
        {
            var length = Posix.GetDirectoryEntries(descriptor, buffer);
            if (length <= 0)
            {
                return length;
            }

            for (var at = 0; at < length;)
            {
                var record = buffer.AsSpan(at, length - at);
                var name = NameAt(record, out var type, out var size);
                if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                {
                    if (directory.Bytes.Length + 1 + name.Length > EntryPath.MaxLength)
                    {
                        tooLong = true;
                    }
                    else
                    {
                        into.Add(new ListedName(directory.Append(name), type));
                    }
                }

                at += size;
            }
        }
    }

    /// <summary>The name in the record that begins here, the type it claims, and the length of the record.</summary>
    public static ReadOnlySpan<byte> NameAt(ReadOnlySpan<byte> record, out byte type, out int size)
    {
        type = record[TypeAt];
        size = MemoryMarshal.Read<ushort>(record[LengthAt..]);
        var name = record[NameBegins..size];
        return name[..name.IndexOf((byte)0)];
    }
}
