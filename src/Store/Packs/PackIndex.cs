using System.Buffers.Binary;
using Mirror.Store.Manifests;
using Mirror.Store.Records;
using Mirror.Store.Versions;

namespace Mirror.Store.Packs;

/// <summary>A blob: which content it yields, from which, and which range of the data stream it is.</summary>
internal readonly record struct BlobPlace(ContentHash Hash, ContentHash Basis, long Offset, long Length, long Size)
{
    public BlobRecord ToRecord() => new()
    {
        Sha256 = PackRecords.Encode(Hash),
        Basis = PackRecords.Encode(Basis),
        Offset = (ulong)Offset,
        Length = (ulong)Length,
        Size = (ulong)Size,
    };
}

/// <summary>The last words of a pack: where its index is, and how much there must be.</summary>
internal readonly record struct PackTrailer(long IndexOffset, int FramesBefore, int IndexFrames, long DataLength)
{
    public byte[] ToBytes()
    {
        var bytes = new byte[PackFormat.TrailerLength];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, IndexOffset);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), FramesBefore);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), IndexFrames);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), DataLength);
        PackFormat.EndMagic.CopyTo(bytes.AsSpan(24));
        return bytes;
    }

    /// <summary>Null for bytes that are no trailer.</summary>
    public static PackTrailer? Parse(ReadOnlySpan<byte> bytes) =>
        bytes.Length != PackFormat.TrailerLength || !bytes[24..].SequenceEqual(PackFormat.EndMagic)
            ? null
            : new PackTrailer(
                BinaryPrimitives.ReadInt64LittleEndian(bytes),
                BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]),
                BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]),
                BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]));
}

/// <summary>
/// What a pack's index says, gathered frame by frame and checked as a whole: the frames before the index fill the file without a gap, blobs lie in order inside the data
/// stream, and no content comes twice. The same rules bind the writer.
/// </summary>
/// <param name="preamble">Of the same file: it says where frames begin and how long they may be.</param>
internal sealed class PackIndex(PackPreamble preamble)
{
    private readonly List<BlobPlace> blobs = [];
    private readonly List<FramePlace> frames = [];
    private readonly Dictionary<ContentHash, int> byHash = [];

    /// <summary>Where each data frame's bytes begin in the data stream; data frame i is <c>Frames[1 + i]</c>, for the header record is the first.</summary>
    private readonly List<long> dataStarts = [];

    private long changesBytes;

    public VersionRecord? Version { get; private set; }

    public IReadOnlyList<BlobPlace> Blobs => blobs;

    public IReadOnlyList<FramePlace> Frames => frames;

    public long DataLength { get; private set; }

    public BlobPlace? Find(ContentHash hash) => byHash.TryGetValue(hash, out var index) ? blobs[index] : null;

    /// <summary>The data frame that holds a position inside the data stream, and where its bytes begin.</summary>
    public (FramePlace Frame, long Start) DataFrameAt(long position)
    {
        var index = dataStarts.BinarySearch(position);
        index = index < 0 ? ~index - 1 : index;
        return (frames[1 + index], dataStarts[index]);
    }

    /// <exception cref="InvalidDataException"/>
    public void Add(PackIndexRecord record)
    {
        if ((Version is null) == (record.Version is null))
        {
            throw new InvalidDataException("the index must name its version once, in its first frame");
        }

        Version ??= VersionRecords.Decode(record.Version!);
        foreach (var blob in record.Blobs)
        {
            Add(blob);
        }

        foreach (var frame in record.Frames)
        {
            Add(frame);
        }
    }

    /// <summary>Checks what can be judged only when all of the index is there.</summary>
    /// <exception cref="InvalidDataException"/>
    public void Complete(PackTrailer trailer)
    {
        if (frames.Count != trailer.FramesBefore || DataLength != trailer.DataLength)
        {
            throw new InvalidDataException(
                $"the index lists {frames.Count} frames with {DataLength} bytes of data; the trailer says {trailer.FramesBefore} and {trailer.DataLength}");
        }

        if (frames.Count == 0 || frames[^1].End != trailer.IndexOffset)
        {
            throw new InvalidDataException("the frames the index lists do not end where the index begins");
        }

        if (changesBytes > PackFormat.MaxChangesBytes)
        {
            throw new InvalidDataException($"its changes take {changesBytes} bytes; the limit is {PackFormat.MaxChangesBytes}");
        }

        if (blobs.Count > 0 && blobs[^1].Offset + blobs[^1].Length > DataLength)
        {
            throw new InvalidDataException($"the blob {blobs[^1].Hash} reaches beyond the {DataLength} bytes of data");
        }
    }

    /// <summary>What forbids this blob in a pack with this header; null when nothing does.</summary>
    public static string? FaultOf(PackHeader header, BlobPlace blob)
    {
        if (blob.Hash.IsNone)
        {
            return "it has no SHA-256";
        }

        if (blob.Basis == blob.Hash)
        {
            return "it is its own basis";
        }

        return header.From.IsNone && !header.Partial && !blob.Basis.IsNone
            ? $"its basis is {blob.Basis}, but the pack leads from nothing"
            : null;
    }

    /// <summary>What forbids these changes in a pack with this header; null when nothing does.</summary>
    public static string? FaultOf(PackHeader header, PackChanges changes)
    {
        if (FaultOf(header, changes.Moves) is { } fault)
        {
            return fault;
        }

        for (var i = 1; i < changes.Put.Count; i++)
        {
            if (changes.Put[i - 1].Path >= changes.Put[i].Path)
            {
                return $"the entry \"{changes.Put[i].Path}\" is out of order or there twice";
            }
        }

        for (var i = 1; i < changes.Removed.Count; i++)
        {
            if (changes.Removed[i - 1] >= changes.Removed[i])
            {
                return $"the removed path \"{changes.Removed[i]}\" is out of order or there twice";
            }
        }

        if (header.From.IsNone && changes.Removed.Count > 0)
        {
            return $"the path \"{changes.Removed[0]}\" is removed, but the pack leads from nothing";
        }

        for (int put = 0, removed = 0; put < changes.Put.Count && removed < changes.Removed.Count;)
        {
            var order = changes.Put[put].Path.CompareTo(changes.Removed[removed]);
            if (order == 0)
            {
                return $"the path \"{changes.Removed[removed]}\" is both put and removed";
            }

            put += order < 0 ? 1 : 0;
            removed += order > 0 ? 1 : 0;
        }

        return null;
    }

    private static string? FaultOf(PackHeader header, IReadOnlyList<DirectoryMove> moves)
    {
        var targets = new HashSet<EntryPath>();
        for (var i = 0; i < moves.Count; i++)
        {
            var move = moves[i];
            if (header.From.IsNone)
            {
                return $"the directory \"{move.From}\" moves, but the pack leads from nothing";
            }

            if (i > 0 && moves[i - 1].From >= move.From)
            {
                return $"the move of \"{move.From}\" is out of order or there twice";
            }

            if (move.From.IsRoot || move.To.IsRoot || move.From == move.To)
            {
                return $"the directory \"{move.From}\" cannot move to \"{move.To}\"";
            }

            if (!targets.Add(move.To))
            {
                return $"two directories move to \"{move.To}\"";
            }
        }

        return null;
    }

    private void Add(BlobRecord record)
    {
        var hash = PackRecords.DecodeHash(record.Sha256, "a blob's SHA-256");
        if (record.Offset > long.MaxValue || record.Length > long.MaxValue - record.Offset || record.Size > long.MaxValue)
        {
            throw new InvalidDataException($"the blob {hash} claims a place or a size no file has");
        }

        var blob = new BlobPlace(hash, PackRecords.DecodeHash(record.Basis, "a blob's basis"), (long)record.Offset, (long)record.Length, (long)record.Size);
        if (blobs.Count > 0 && blob.Offset < blobs[^1].Offset + blobs[^1].Length)
        {
            throw new InvalidDataException($"the blob {hash} overlaps the one before it");
        }

        if (!byHash.TryAdd(hash, blobs.Count))
        {
            throw new InvalidDataException($"the blob {hash} is there twice");
        }

        blobs.Add(blob);
    }

    private void Add(FrameRecord record)
    {
        FrameKind? previous = frames.Count == 0 ? null : frames[^1].Kind;
        var offset = frames.Count == 0 ? preamble.Length : frames[^1].End;
        var kind = record.Kind <= (uint)FrameKind.Changes ? (FrameKind)record.Kind : FrameKind.Trailer;
        if (record.FileOffset != (ulong)offset
            || record.Raw is 0 or > PackFormat.MaxRawFrame || record.Stored <= preamble.TagLength || record.Stored > record.Raw + preamble.TagLength
            || !FrameFile.MayFollow(previous, kind))
        {
            throw new InvalidDataException($"the index lists a frame of kind {record.Kind}, {record.Stored} of {record.Raw} bytes, at {record.FileOffset}, where one at {offset} must come");
        }

        frames.Add(new FramePlace(offset, (int)record.Stored, (int)record.Raw, kind));
        if (kind == FrameKind.Data)
        {
            dataStarts.Add(DataLength);
            DataLength += record.Raw;
        }
        else if (kind == FrameKind.Changes)
        {
            changesBytes += record.Raw;
        }
    }
}
