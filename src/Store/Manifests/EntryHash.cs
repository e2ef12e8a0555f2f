using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Mirror.Store.Manifests;

/// <summary>
/// The Merkle tree over a manifest: the hash of an entry is the SHA-256 of its canonical encoding, of a directory that encoding followed by the name and the hash of
/// each child. The encoding is written down in docs/format.md, "Manifest and root"; whoever changes a byte of it makes every root that exists worthless.
/// </summary>
internal static class EntryHash
{
    private const byte SparseFlag = 1;
    private const byte UnstableFlag = 2;

    private static ReadOnlySpan<byte> Tag => "mirror entry 1\n"u8;

    /// <summary>Computes what is missing: on all cores what holds nothing, which is most of it and each by itself; then directories, backwards, so that its children are done before each.</summary>
    public static void FillIn(EntryList entries)
    {
        var directories = new List<int>();
        var walk = new EntryList.Walk(entries, stackalloc byte[EntryPath.MaxLength]);
        for (var at = 0; at < entries.Count; at++)
        {
            walk.MoveTo(at);
            if (walk.Type == EntryType.Directory && entries.HashAt(at).IsNone)
            {
                directories.Add(at);
            }
        }

        entries.ForEachPage(FillInLeaves);
        FillIn(entries, directories);
    }

    private static void FillInLeaves(Entry[] entries, ContentHash[] hashes)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        for (var at = 0; at < entries.Length; at++)
        {
            if (hashes[at].IsNone && entries[at].Type != EntryType.Directory)
            {
                buffer.ResetWrittenCount();
                Encode(entries[at], buffer);
                hashes[at] = Hash(buffer.WrittenSpan);
            }
        }
    }

    /// <summary>Computes those that are missing at these places.</summary>
    /// <param name="places">Rising: a directory comes before what it holds.</param>
    public static void FillIn(EntryList entries, List<int> places)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        var walk = new EntryList.Walk(entries, stackalloc byte[EntryPath.MaxLength]);
        for (var next = places.Count - 1; next >= 0; next--)
        {
            var at = places[next];
            walk.MoveTo(at);
            buffer.ResetWrittenCount();
            Encode(walk.Entry, buffer);
            if (walk.Type == EntryType.Directory)
            {
                var end = entries.EndOfSubtree(at, walk.Path);
                for (var child = at + 1; child < end;)
                {
                    walk.MoveTo(child);
                    Child(buffer, walk.Name, entries.HashAt(child));
                    child = walk.Type == EntryType.Directory ? entries.EndOfSubtree(child, walk.Path) : child + 1;
                }
            }

            entries.SetHash(at, Hash(buffer.WrittenSpan));
        }
    }

    /// <summary>All an entry says, but of its path only the last name: a directory that is moved keeps what is below it.</summary>
    public static void Encode(Entry entry, IBufferWriter<byte> to)
    {
        to.Write(Tag);
        Field(to, entry.Path.Name);
        Number(to, (uint)entry.Type);
        Number(to, entry.Mode);
        Number(to, entry.Uid);
        Number(to, entry.Gid);
        Field(to, entry.Owner);
        Field(to, entry.Group);
        Number(to, (ulong)entry.MtimeUnixNs);
        Number(to, (ulong)entry.Size);
        entry.Hash.CopyTo(to.GetSpan(ContentHash.Length));
        to.Advance(ContentHash.Length);
        Field(to, entry.LinkTarget);
        Number(to, entry.DeviceMajor);
        Number(to, entry.DeviceMinor);
        Field(to, entry.HardlinkOf is { } leader ? leader.Bytes : []);
        Number(to, (uint)((entry.Sparse ? SparseFlag : 0) | (entry.Unstable ? UnstableFlag : 0)));
        Number(to, (uint)entry.Xattrs.Count);
        foreach (var xattr in entry.Xattrs)
        {
            Field(to, xattr.Name);
            Field(to, xattr.Value);
        }
    }

    private static void Child(ArrayBufferWriter<byte> to, ReadOnlySpan<byte> name, ContentHash hash)
    {
        Field(to, name);
        hash.CopyTo(to.GetSpan(ContentHash.Length));
        to.Advance(ContentHash.Length);
    }

    private static ContentHash Hash(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[ContentHash.Length];
        SHA256.HashData(bytes, hash);
        return ContentHash.From(hash);
    }

    private static void Number(IBufferWriter<byte> to, uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(to.GetSpan(sizeof(uint)), value);
        to.Advance(sizeof(uint));
    }

    private static void Number(IBufferWriter<byte> to, ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(to.GetSpan(sizeof(ulong)), value);
        to.Advance(sizeof(ulong));
    }

    private static void Field(IBufferWriter<byte> to, ReadOnlySpan<byte> bytes)
    {
        Number(to, (uint)bytes.Length);
        to.Write(bytes);
    }

    private static void Field(IBufferWriter<byte> to, string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        Number(to, (uint)length);
        Encoding.UTF8.GetBytes(text, to.GetSpan(Math.Max(1, length)));
        to.Advance(length);
    }
}
