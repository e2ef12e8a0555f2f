using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
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

    /// <summary>So many entries are work worth handing to another core: some 30 ms.</summary>
    private const int AtOnce = 4096;

    private static ReadOnlySpan<byte> Tag => "mirror entry 1\n"u8;

    /// <summary>Computes what is missing: on all cores what holds nothing, which is most of it and each by itself; then directories, backwards, so that its children are done before each.</summary>
    public static void FillIn(Entry[] entries, ContentHash[] hashes)
    {
        if (entries.Length < 2 * AtOnce)
        {
            FillInLeaves(entries, hashes, 0, entries.Length);
        }
        else
        {
            Parallel.ForEach(Partitioner.Create(0, entries.Length, AtOnce), range => FillInLeaves(entries, hashes, range.Item1, range.Item2));
        }

        FillInDirectories(entries, hashes);
    }

    private static void FillInLeaves(Entry[] entries, ContentHash[] hashes, int from, int to)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        for (var at = from; at < to; at++)
        {
            if (hashes[at].IsNone && entries[at].Type != EntryType.Directory)
            {
                buffer.ResetWrittenCount();
                Encode(entries[at], buffer);
                hashes[at] = Hash(buffer.WrittenSpan);
            }
        }
    }

    private static void FillInDirectories(Entry[] entries, ContentHash[] hashes)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);

        // Where the subtree of each entry ends: from one child straight to the next.
        var ends = new int[entries.Length];
        for (var at = entries.Length - 1; at >= 0; at--)
        {
            var end = at + 1;
            var entry = entries[at];
            if (entry.Type != EntryType.Directory)
            {
                ends[at] = end;
                continue;
            }

            while (end < entries.Length && entries[end].Path.IsWithin(entry.Path))
            {
                end = ends[end];
            }

            ends[at] = end;
            if (!hashes[at].IsNone)
            {
                continue;
            }

            buffer.ResetWrittenCount();
            Encode(entry, buffer);
            for (var child = at + 1; child < end; child = ends[child])
            {
                Child(buffer, entries[child], hashes[child]);
            }

            hashes[at] = Hash(buffer.WrittenSpan);
        }
    }

    /// <summary>Computes those that are missing at these places.</summary>
    /// <param name="places">Rising: a directory comes before what it holds.</param>
    public static void FillIn(EntryList entries, List<int> places)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        for (var next = places.Count - 1; next >= 0; next--)
        {
            var at = places[next];
            var entry = entries[at];
            buffer.ResetWrittenCount();
            Encode(entry, buffer);
            if (entry.Type == EntryType.Directory)
            {
                var end = entries.EndOfSubtree(at);
                for (var child = at + 1; child < end; child = entries[child].Type == EntryType.Directory ? entries.EndOfSubtree(child) : child + 1)
                {
                    Child(buffer, entries[child], entries.HashAt(child));
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

    private static void Child(ArrayBufferWriter<byte> to, Entry entry, ContentHash hash)
    {
        Field(to, entry.Path.Name);
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
