using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Mirror.Store.Manifests;

/// <summary>
/// Some hundred neighbouring entries of a manifest as they lie in memory: one block of bytes, in which a path says only what it does not share with the one before it. A node holds an entry for
/// each file of a site, and a million of them are 60 MB so, and as objects four times as much; an object is made of the entry that is asked for. Beside them lie their hashes, and in a store that
/// captures the stats they were captured with.
/// </summary>
/// <remarks>
/// An entry: type and which of the parts follow 1, access (index) v, shared v, path (length v), mtime 8, size v, SHA-256 32 if there is one, unusual parts (index) v if there are any; v is a
/// number in seven bits a byte. Every sixteenth path shares nothing: one that is looked for is found between two of those.
/// </remarks>
[SkipLocalsInit]
internal sealed class EntryPage
{
    private const int WholeEvery = 16;
    private const int TypeMask = 7;
    private const int HasHash = 8;
    private const int HasUnusual = 16;

    private readonly byte[] packed;

    /// <summary>Where each entry with a whole path begins.</summary>
    private readonly int[] wholes;
    private readonly Access[] accesses;
    private readonly Entry.UnusualParts[] unusuals;

    private EntryPage(byte[] packed, int[] wholes, Access[] accesses, Entry.UnusualParts[] unusuals, ContentHash[] hashes, SeenStat[]? stats)
    {
        this.packed = packed;
        this.wholes = wholes;
        this.accesses = accesses;
        this.unusuals = unusuals;
        Hashes = hashes;
        Stats = stats;
    }

    /// <summary>Mode and owner, which whole trees have in common.</summary>
    private sealed record Access(uint Mode, uint Uid, uint Gid, string Owner, string Group)
    {
        public bool IsOf(Entry entry) => entry.Mode == Mode && entry.Uid == Uid && entry.Gid == Gid && entry.Owner == Owner && entry.Group == Group;
    }

    public int Count => Hashes.Length;

    public ContentHash[] Hashes { get; }

    /// <summary>None in a store that does not capture.</summary>
    public SeenStat[]? Stats { get; set; }

    public ReadOnlySpan<byte> FirstPath => WholePath(0);

    /// <param name="entries">In manifest order, at least one.</param>
    public static EntryPage Pack(ReadOnlySpan<Entry> entries, ReadOnlySpan<ContentHash> hashes, ReadOnlySpan<SeenStat> stats)
    {
        var output = new ArrayBufferWriter<byte>(entries.Length * 64);
        var wholes = new int[(entries.Length + WholeEvery - 1) / WholeEvery];
        var accesses = new Dictionary<Access, int>();
        var unusuals = new List<Entry.UnusualParts>();
        Access? access = null;
        var index = 0;
        for (var at = 0; at < entries.Length; at++)
        {
            var entry = entries[at];
            var path = entry.Path.Bytes;
            var rest = entry.Rest == Entry.UnusualParts.None ? null : entry.Rest;
            var shared = 0;
            if (at % WholeEvery == 0)
            {
                wholes[at / WholeEvery] = output.WrittenCount;
            }
            else
            {
                shared = path.CommonPrefixLength(entries[at - 1].Path.Bytes);
            }

            Put(output, (byte)((int)entry.Type | (entry.Hash.IsNone ? 0 : HasHash) | (rest is null ? 0 : HasUnusual)));
            if (access is null || !access.IsOf(entry))
            {
                access = new Access(entry.Mode, entry.Uid, entry.Gid, entry.Owner, entry.Group);
                index = accesses.TryAdd(access, accesses.Count) ? accesses.Count - 1 : accesses[access];
            }

            PutNumber(output, (ulong)index);
            PutNumber(output, (ulong)shared);
            PutNumber(output, (ulong)(path.Length - shared));
            output.Write(path[shared..]);
            BinaryPrimitives.WriteInt64LittleEndian(output.GetSpan(sizeof(long)), entry.MtimeUnixNs);
            output.Advance(sizeof(long));
            PutNumber(output, (ulong)entry.Size);
            if (!entry.Hash.IsNone)
            {
                entry.Hash.CopyTo(output.GetSpan(ContentHash.Length));
                output.Advance(ContentHash.Length);
            }

            if (rest is not null)
            {
                PutNumber(output, (ulong)unusuals.Count);
                unusuals.Add(rest);
            }
        }

        return new EntryPage(output.WrittenSpan.ToArray(), wholes, [.. accesses.Keys], [.. unusuals], hashes.ToArray(), stats.IsEmpty ? null : stats.ToArray());
    }

    public Entry[] Unpack()
    {
        var entries = new Entry[Count];
        var reader = new Reader(this, stackalloc byte[EntryPath.MaxLength]);
        for (var at = 0; at < entries.Length; at++)
        {
            reader.MoveTo(at);
            entries[at] = reader.Entry;
        }

        return entries;
    }

    /// <summary>Where a path is; when it is not there the complement of where it would be.</summary>
    public int IndexOf(ReadOnlySpan<byte> path)
    {
        int low = 0, high = wholes.Length - 1;
        while (low < high)
        {
            var middle = low + ((high - low + 1) / 2);
            (low, high) = EntryPath.Compare(WholePath(middle), path) <= 0 ? (middle, high) : (low, middle - 1);
        }

        var reader = new Reader(this, stackalloc byte[EntryPath.MaxLength]);
        var at = low * WholeEvery;
        for (var end = Math.Min(Count, at + WholeEvery); at < end; at++)
        {
            reader.MoveTo(at);
            var order = EntryPath.Compare(reader.Path, path);
            if (order >= 0)
            {
                return order == 0 ? at : ~at;
            }
        }

        return ~at;
    }

    /// <summary>The first entry, from one on that lies within the directory, that does not.</summary>
    public int EndOf(ReadOnlySpan<byte> directory, int from)
    {
        int low = from / WholeEvery, high = wholes.Length - 1;
        while (low < high)
        {
            var middle = low + ((high - low + 1) / 2);
            (low, high) = EntryPath.IsWithin(WholePath(middle), directory) ? (middle, high) : (low, middle - 1);
        }

        var reader = new Reader(this, stackalloc byte[EntryPath.MaxLength]);
        var at = Math.Max(from, low * WholeEvery);
        for (var end = Math.Min(Count, (low + 1) * WholeEvery); at < end; at++)
        {
            reader.MoveTo(at);
            if (!EntryPath.IsWithin(reader.Path, directory))
            {
                break;
            }
        }

        return at;
    }

    private ReadOnlySpan<byte> WholePath(int whole)
    {
        var at = wholes[whole] + 1;
        _ = Number(packed, ref at);
        _ = Number(packed, ref at);
        var length = (int)Number(packed, ref at);
        return packed.AsSpan(at, length);
    }

    private static void Put(ArrayBufferWriter<byte> output, byte value)
    {
        output.GetSpan(1)[0] = value;
        output.Advance(1);
    }

    private static void PutNumber(ArrayBufferWriter<byte> output, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            Put(output, (byte)(value | 0x80));
        }

        Put(output, (byte)value);
    }

    private static ulong Number(ReadOnlySpan<byte> bytes, ref int at)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var next = bytes[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }

    /// <summary>Goes to entries of a page, forwards in small steps or anywhere, and makes objects of those only that are asked for.</summary>
    /// <param name="path">Room for the longest path.</param>
    internal ref struct Reader(EntryPage page, Span<byte> path)
    {
        private readonly EntryPage page = page;
        private readonly Span<byte> path = path;
        private int at = -1;
        private int next;
        private int length;
        private byte head;
        private int access;
        private long mtime;
        private long size;
        private int hash;
        private int unusual;

        public readonly ReadOnlySpan<byte> Path => path[..length];

        public readonly EntryType Type => (EntryType)(head & TypeMask);

        public readonly Entry Entry
        {
            get
            {
                var rights = page.accesses[access];
                return new Entry
                {
                    Path = EntryPath.Again(Path),
                    Type = Type,
                    Mode = rights.Mode,
                    Uid = rights.Uid,
                    Gid = rights.Gid,
                    Owner = rights.Owner,
                    Group = rights.Group,
                    MtimeUnixNs = mtime,
                    Size = size,
                    Hash = (head & HasHash) == 0 ? default : ContentHash.From(page.packed.AsSpan(hash, ContentHash.Length)),
                    Rest = (head & HasUnusual) == 0 ? null : page.unusuals[unusual],
                };
            }
        }

        /// <summary>Of two at the same path: whether they say the same.</summary>
        public readonly bool IsSame(in Reader other) =>
            head == other.head && mtime == other.mtime && size == other.size
            && (ReferenceEquals(page.accesses[access], other.page.accesses[other.access]) || page.accesses[access] == other.page.accesses[other.access])
            && ((head & HasHash) == 0 || page.packed.AsSpan(hash, ContentHash.Length).SequenceEqual(other.page.packed.AsSpan(other.hash, ContentHash.Length)))
            && ((head & HasUnusual) == 0 || page.unusuals[unusual] == other.page.unusuals[other.unusual]);

        public void MoveTo(int index)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)page.Count);
            if (index < at || index / WholeEvery != at / WholeEvery || at < 0)
            {
                next = page.wholes[index / WholeEvery];
                at = (index / WholeEvery * WholeEvery) - 1;
            }

            while (at < index)
            {
                Next();
            }
        }

        private void Next()
        {
            ReadOnlySpan<byte> packed = page.packed;
            head = packed[next++];
            access = (int)Number(packed, ref next);
            var shared = (int)Number(packed, ref next);
            var rest = (int)Number(packed, ref next);
            packed.Slice(next, rest).CopyTo(path[shared..]);
            length = shared + rest;
            next += rest;
            mtime = BinaryPrimitives.ReadInt64LittleEndian(packed[next..]);
            next += sizeof(long);
            size = (long)Number(packed, ref next);
            hash = next;
            next += (head & HasHash) == 0 ? 0 : ContentHash.Length;
            unusual = (head & HasUnusual) == 0 ? 0 : (int)Number(packed, ref next);
            at++;
        }
    }
}

/// <summary>
/// Of a <see cref="StatKey"/> all but the size, which is its entry's. The time need not be: an entry keeps its own when a dump was made anew and is as before.
/// No inode has the number 0: then it is not known.
/// </summary>
internal readonly record struct SeenStat(ulong Device, ulong Inode, long MtimeNs, long CtimeNs)
{
    public bool IsKnown => Inode != 0;
}
