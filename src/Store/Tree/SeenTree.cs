using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>
/// What a live tree looked like when it was captured, as one flat block of bytes that can be compared with the tree as it is, directory by directory on all cores and without making an
/// object for any entry. It only saves work: it is believed when it is whole and goes by the same name, and then says no more than "nothing changed".
/// Whatever differs, even in a way that does not matter, is for a full scan to judge.
/// </summary>
/// <remarks>
/// Little endian: magic 8, XXH3-64 of all that follows 8, name (length 4, UTF-8), file system 8, owners (count 4; each: kind 1, number 4, length 2, name), key of the root
/// (inode 8, size 8, mtime 8, ctime 8), number of directories 4, then each: length of all of it 4, path (length 2), number of children 4, their offsets 4 each,
/// and by name in order of bytes: key 32, type 1, name (length 1).
/// </remarks>
public sealed class SeenTree
{
    internal const int KeyLength = 32;
    private const int HeadLength = 16;
    private const int MaxBytes = 1 << 30;

    private static ReadOnlySpan<byte> Magic => "MIRSEEN1"u8;

    private readonly ReadOnlyMemory<byte> bytes;

    private SeenTree(ReadOnlyMemory<byte> bytes) => this.bytes = bytes;

    /// <param name="scanned">A whole scan, in manifest order.</param>
    /// <param name="seen">The stat an entry had when it was captured; null when that is not certain. One uncertain entry is enough to remember nothing.</param>
    /// <param name="name">What has to be the same for this to be believed: the source, what is left out of it, the version that holds it.</param>
    /// <returns>Null when it would never be equal to anything.</returns>
    public static SeenTree? From(IReadOnlyList<ScannedEntry> scanned, Func<ScannedEntry, StatKey?> seen, string name)
    {
        var output = new ArrayBufferWriter<byte>(scanned.Count * 96);
        output.Write(Magic);
        Put(output, 0L);
        var label = Encoding.UTF8.GetBytes(name);
        Put(output, label.Length);
        output.Write(label);
        Put(output, (long)scanned[0].Stat.Device);
        PutOwners(output, scanned);
        if (seen(scanned[0]) is not { } root || !PutKey(output, root, scanned[0].Stat.Device))
        {
            return null;
        }

        var directories = 0;
        var count = output.GetSpan(4);
        count.Clear();
        var countAt = output.WrittenCount;
        output.Advance(4);

        // In manifest order a directory's children come right after it, each with all below it: those not yet closed lie on a stack.
        var open = new Stack<(EntryPath Path, List<(ScannedEntry Entry, StatKey Key)> Children)>();
        foreach (var entry in scanned)
        {
            var path = entry.Entry.Path;
            while (open.TryPeek(out var above) && !path.IsWithin(above.Path))
            {
                Close(output, open.Pop(), ref directories);
            }

            if (!path.IsRoot)
            {
                if (seen(entry) is not { } key || key.Device != scanned[0].Stat.Device)
                {
                    return null;
                }

                open.Peek().Children.Add((entry, key));
            }

            if (entry.Entry.Type == EntryType.Directory)
            {
                open.Push((path, []));
            }

            if (output.WrittenCount > MaxBytes)
            {
                return null;
            }
        }

        while (open.Count > 0)
        {
            Close(output, open.Pop(), ref directories);
        }

        var all = output.WrittenMemory.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(all.AsSpan(countAt), directories);
        BinaryPrimitives.WriteUInt64LittleEndian(all.AsSpan(Magic.Length), XxHash3.HashToUInt64(all.AsSpan(HeadLength)));
        return new SeenTree(all);
    }

    /// <summary>Null when there is none, it is damaged, or goes by another name.</summary>
    public static SeenTree? Read(string path, string name)
    {
        try
        {
            if (new FileInfo(path) is not { Exists: true, Length: > HeadLength and < MaxBytes })
            {
                return null;
            }

            var all = File.ReadAllBytes(path);
            if (!all.AsSpan().StartsWith(Magic) || BinaryPrimitives.ReadUInt64LittleEndian(all.AsSpan(Magic.Length)) != XxHash3.HashToUInt64(all.AsSpan(HeadLength)))
            {
                return null;
            }

            var seen = new SeenTree(all);
            return seen.NameBytes(out _).SequenceEqual(Encoding.UTF8.GetBytes(name)) ? seen : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            return null;
        }
    }

    /// <summary>Puts it in place of an older one. Not synced: after a power cut it may be the older one or damaged, and is then not believed.</summary>
    public void Write(string path)
    {
        var pending = path + ".tmp";
        using (var file = new FileStream(pending, new FileStreamOptions
        {
            Mode = FileMode.Create, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            file.Write(bytes.Span);
        }

        File.Move(pending, path, overwrite: true);
    }

    /// <summary>True when the tree is exactly as it was: every name, and the type, inode, size, mtime and ctime of each. Any doubt is a no.</summary>
    /// <param name="exclude">As for a scan; only asked about names that were not there.</param>
    public async Task<bool> IsStillSoAsync(string root, Func<EntryPath, EntryType, bool> exclude, CancellationToken cancellation)
    {
        try
        {
            var at = Parse(out var fileSystem, out var rootKey, out var directories);
            if (at < 0)
            {
                return false;
            }

            using var tree = new TreeHandle(root);
            if (Posix.Stat(tree.Descriptor, out FileStat stat) < 0 || stat.FileSystem != fileSystem || !SeenDirectory.Matches(rootKey.Span, stat))
            {
                return false;
            }

            var work = new SeenDirectories(bytes[at..], directories);
            var cores = Math.Min(Environment.ProcessorCount, 8);
            var all = Enumerable.Range(0, cores).Select(_ => Task.Run(() => Compare(work, tree, fileSystem, exclude, cancellation), cancellation));
            return (await Task.WhenAll(all)).All(static same => same);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or InvalidDataException or ArgumentOutOfRangeException or IndexOutOfRangeException)
        {
            return false;
        }
    }

    private static bool Compare(SeenDirectories work, TreeHandle tree, ulong fileSystem, Func<EntryPath, EntryType, bool> exclude, CancellationToken cancellation)
    {
        var check = new SeenDirectory(tree, fileSystem, exclude);
        while (work.Next() is { } directory)
        {
            cancellation.ThrowIfCancellationRequested();
            if (!check.IsStillSo(directory.Span))
            {
                work.Stop();
                return false;
            }
        }

        return true;
    }

    private ReadOnlySpan<byte> NameBytes(out int next)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(bytes.Span[HeadLength..]);
        next = HeadLength + 4 + length;
        return bytes.Span.Slice(HeadLength + 4, length);
    }

    /// <returns>Where the directories begin; negative when an owner has another name now.</returns>
    private int Parse(out ulong fileSystem, out ReadOnlyMemory<byte> rootKey, out int directories)
    {
        NameBytes(out var at);
        var span = bytes.Span;
        fileSystem = BinaryPrimitives.ReadUInt64LittleEndian(span[at..]);
        rootKey = default;
        directories = 0;
        var owners = BinaryPrimitives.ReadInt32LittleEndian(span[(at + 8)..]);
        at += 12;
        var names = new OwnerNames();
        for (; owners > 0; owners--)
        {
            var id = BinaryPrimitives.ReadUInt32LittleEndian(span[(at + 1)..]);
            var length = BinaryPrimitives.ReadUInt16LittleEndian(span[(at + 5)..]);
            var known = span.Slice(at + 7, length);
            if (!Encoding.UTF8.GetBytes(span[at] == 0 ? names.User(id) : names.Group(id)).AsSpan().SequenceEqual(known))
            {
                return -1;
            }

            at += 7 + length;
        }

        rootKey = bytes.Slice(at, KeyLength);
        directories = BinaryPrimitives.ReadInt32LittleEndian(span[(at + KeyLength)..]);
        return at + KeyLength + 4;
    }

    private static void Close(ArrayBufferWriter<byte> output, (EntryPath Path, List<(ScannedEntry Entry, StatKey Key)> Children) directory, ref int directories)
    {
        directories++;
        var (path, children) = directory;
        var head = 4 + 2 + path.Bytes.Length + 4;
        var length = head + (children.Count * 4) + children.Sum(static child => KeyLength + 2 + child.Entry.Entry.Path.Name.Length);
        Put(output, length);
        BinaryPrimitives.WriteUInt16LittleEndian(output.GetSpan(2), (ushort)path.Bytes.Length);
        output.Advance(2);
        output.Write(path.Bytes);
        Put(output, children.Count);
        var offset = head + (children.Count * 4);
        foreach (var (entry, _) in children)
        {
            Put(output, offset);
            offset += KeyLength + 2 + entry.Entry.Path.Name.Length;
        }

        foreach (var (entry, key) in children)
        {
            PutKey(output, key, key.Device);
            var name = entry.Entry.Path.Name;
            output.Write([(byte)entry.Entry.Type, (byte)name.Length]);
            output.Write(name);
        }
    }

    private static void PutOwners(ArrayBufferWriter<byte> output, IReadOnlyList<ScannedEntry> scanned)
    {
        var owners = new HashSet<(byte Kind, uint Id, string Name)>();
        foreach (var entry in scanned)
        {
            owners.Add((0, entry.Entry.Uid, entry.Entry.Owner));
            owners.Add((1, entry.Entry.Gid, entry.Entry.Group));
        }

        Put(output, owners.Count);
        foreach (var (kind, id, name) in owners)
        {
            var text = Encoding.UTF8.GetBytes(name);
            output.Write([kind]);
            Put(output, (int)id);
            BinaryPrimitives.WriteUInt16LittleEndian(output.GetSpan(2), (ushort)text.Length);
            output.Advance(2);
            output.Write(text);
        }
    }

    private static bool PutKey(ArrayBufferWriter<byte> output, StatKey key, ulong device)
    {
        Put(output, (long)key.Inode);
        Put(output, key.Size);
        Put(output, key.MtimeNs);
        Put(output, key.CtimeNs);
        return key.Device == device;
    }

    private static void Put(ArrayBufferWriter<byte> output, int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(output.GetSpan(4), value);
        output.Advance(4);
    }

    private static void Put(ArrayBufferWriter<byte> output, long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(output.GetSpan(8), value);
        output.Advance(8);
    }
}
