using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>The directories of a <see cref="SeenTree"/>, handed out to whoever asks next, until one says stop.</summary>
internal sealed class SeenDirectories(ReadOnlyMemory<byte> records, int count)
{
    private readonly Lock gate = new();
    private int at;
    private int left = count;

    public ReadOnlyMemory<byte>? Next()
    {
        lock (gate)
        {
            if (left == 0)
            {
                return null;
            }

            left--;
            var length = BinaryPrimitives.ReadInt32LittleEndian(records.Span[at..]);
            var record = records.Slice(at, length);
            at += length;
            return record;
        }
    }

    public void Stop()
    {
        lock (gate)
        {
            left = 0;
        }
    }
}

/// <summary>Compares one directory after another with what a <see cref="SeenTree"/> says of it. One thread's own.</summary>
internal sealed class SeenDirectory(TreeHandle tree, ulong fileSystem, Func<EntryPath, EntryType, bool> exclude)
{
    private const int TypeAt = SeenTree.KeyLength;
    private const int NameAt = SeenTree.KeyLength + 2;

    private readonly byte[] listing = new byte[DirectoryListing.BufferLength];

    public bool IsStillSo(ReadOnlySpan<byte> record)
    {
        var path = record.Slice(6, BinaryPrimitives.ReadUInt16LittleEndian(record[4..]));
        var offsets = record[(6 + path.Length + 4)..];
        var children = BinaryPrimitives.ReadInt32LittleEndian(record[(6 + path.Length)..]);
        var descriptor = tree.OpenDirectory(path, Posix.ReadOnly);
        if (descriptor < 0)
        {
            return false;
        }

        try
        {
            var met = 0;
            while (true)
            {
                var length = Posix.GetDirectoryEntries(descriptor, listing);
                if (length <= 0)
                {
                    return length == 0 && met == children;
                }

                for (var at = 0; at < length;)
                {
                    var name = DirectoryListing.NameAt(listing.AsSpan(at, length - at), out var type, out var size);
                    at += size;
                    if (name.SequenceEqual("."u8) || name.SequenceEqual(".."u8))
                    {
                        continue;
                    }

                    var child = Find(record, offsets, children, name);
                    if (child.IsEmpty ? !IsNoPart(descriptor, path, name, type) : !IsStillSo(descriptor, name, child))
                    {
                        return false;
                    }

                    met += child.IsEmpty ? 0 : 1;
                }
            }
        }
        finally
        {
            Posix.Close(descriptor);
        }
    }

    public static bool Matches(ReadOnlySpan<byte> key, in FileStat stat)
    {
        var known = MemoryMarshal.Cast<byte, long>(key[..SeenTree.KeyLength]);
        return known[0] == (long)stat.Inode && known[1] == stat.Size && known[2] == stat.Modification.UnixNs && known[3] == stat.Change.UnixNs;
    }

    private bool IsStillSo(int directory, ReadOnlySpan<byte> name, ReadOnlySpan<byte> child) =>
        Posix.Stat(directory, name, out FileStat stat) == 0 && stat.FileSystem == fileSystem && (byte?)stat.Type == child[TypeAt] && Matches(child, stat);

    /// <summary>New, and by rule not part of a version: what is excluded (and not even looked at: it may be a mount that hangs), sockets, other file systems.</summary>
    private bool IsNoPart(int directory, ReadOnlySpan<byte> path, ReadOnlySpan<byte> name, byte listedType)
    {
        var listed = new ListedName(EntryPath.Parse(path).Append(name), listedType);
        return (listed.Claimed is { } claimed && exclude(listed.Path, claimed))
            || (Posix.Stat(directory, name, out FileStat stat) == 0
                && (stat.Type is not { } type || stat.FileSystem != fileSystem || (type != listed.Claimed && exclude(listed.Path, type))));
    }

    private static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> record, ReadOnlySpan<byte> offsets, int children, ReadOnlySpan<byte> name)
    {
        int low = 0, high = children - 1;
        while (low <= high)
        {
            var middle = low + ((high - low) / 2);
            var child = record[BinaryPrimitives.ReadInt32LittleEndian(offsets[(middle * 4)..])..];
            var order = child.Slice(NameAt, child[NameAt - 1]).SequenceCompareTo(name);
            if (order == 0)
            {
                return child;
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return default;
    }
}
