using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Store.Packs;

/// <summary>A pack that cannot be trusted or understood: cut short, flipped bits, over a bound, of a newer format. Names the file and the place.</summary>
public class PackFormatException(string message) : Exception(message);

/// <param name="Basis">None: the delta holds the whole content.</param>
/// <param name="StoredBytes">Bytes of the delta before compression.</param>
public sealed record BlobInfo(ContentHash Hash, ContentHash Basis, long Size, long StoredBytes);

/// <param name="Kind">header, data, changes, index or trailer.</param>
/// <param name="Compressed">How many of the frames are compressed.</param>
/// <param name="Raw">Bytes before compression.</param>
/// <param name="Stored">Bytes in the file, without the frames' own headers.</param>
public sealed record FrameTotals(string Kind, int Frames, int Compressed, long Raw, long Stored);

/// <summary>Random access to a pack file. Opening checks the trailer and the index; each frame's checksum is checked when it is read. Safe for one reader at a time.</summary>
public sealed class PackReader : IDisposable
{
    private readonly FrameFile file;
    private readonly PackIndex index;
    private readonly List<FramePlace> ends = [];
    private readonly DataFrameCache cache;
    private bool disposed;

    private PackReader(FrameFile file, IReadOnlyCollection<PackKey> keys)
    {
        this.file = file;
        if (file.Begin() is { } wrong)
        {
            throw file.Refuse(wrong);
        }

        file.Unlock(keys);
        index = new PackIndex(file.Preamble);
        cache = new DataFrameCache(file, index);
        var buffer = Array.Empty<byte>();
        try
        {
            ReadIndex(ref buffer);
            Header = ReadHeader(ref buffer);
        }
        finally
        {
            FrameFile.Fit(ref buffer, 0);
        }

        Version = index.Version!;
        if (Version.Id != Header.To || Version.Site != Header.Site)
        {
            throw file.Refuse($"its header leads to {Header.To} of {Header.Site}, its index to {Version.Id} of {Version.Site}");
        }

        foreach (var blob in index.Blobs)
        {
            if (PackIndex.FaultOf(Header, blob) is { } fault)
            {
                throw file.Refuse($"the blob {blob.Hash} is impossible: {fault}");
            }
        }

        Blobs = new BlobList(index.Blobs);
    }

    /// <param name="keys">Those that an encrypted pack may be for; the pack says which of them it takes.</param>
    /// <exception cref="PackFormatException"/>
    /// <exception cref="PackKeyException">It is encrypted, and its key is not among them.</exception>
    public static PackReader Open(string path, params IReadOnlyCollection<PackKey> keys)
    {
        var file = new FrameFile(path);
        try
        {
            return new PackReader(file, keys);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public string Path => file.Path;

    /// <summary>Bytes of the pack file: what taking this pack costs.</summary>
    public long Length => file.Length;

    /// <summary>Id of the key the pack is encrypted for; null when it is not encrypted.</summary>
    public string? KeyId => file.Preamble.IsEncrypted ? Convert.ToHexStringLower(file.Preamble.KeyId) : null;

    public PackHeader Header { get; }

    public VersionRecord Version { get; }

    public IReadOnlyCollection<BlobInfo> Blobs { get; }

    public BlobInfo? Find(ContentHash hash) => index.Find(hash) is { } blob ? BlobList.InfoOf(blob) : null;

    /// <exception cref="PackFormatException"/>
    public PackChanges ReadChanges()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        var moves = new List<DirectoryMove>();
        var put = new List<Entry>();
        var removed = new List<EntryPath>();
        var buffer = Array.Empty<byte>();
        try
        {
            foreach (var frame in index.Frames)
            {
                if (frame.Kind == FrameKind.Changes)
                {
                    ReadAsListed(frame, ref buffer);
                    AddChanges(frame, buffer.AsSpan(0, frame.Raw), moves, put, removed);
                }
            }
        }
        finally
        {
            FrameFile.Fit(ref buffer, 0);
        }

        var changes = new PackChanges(moves, put, removed);
        return PackIndex.FaultOf(Header, changes) is { } fault ? throw file.Refuse(fault) : changes;
    }

    /// <summary>The blob's delta; seekable, whatever its size: a few frames are held, and each is checked as it is read. Valid while the reader is.</summary>
    /// <exception cref="KeyNotFoundException">The pack has no such blob.</exception>
    /// <exception cref="PackFormatException">While reading: a frame is damaged.</exception>
    public Stream OpenDelta(ContentHash hash)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        var blob = index.Find(hash) ?? throw new KeyNotFoundException($"The pack {Path} has no blob {hash}.");
        return new DeltaStream(cache, blob.Offset, blob.Length);
    }

    public int FrameCount => index.Frames.Count + ends.Count;

    /// <summary>The bytes of the pack by what they are for, in the order of the file.</summary>
    public IReadOnlyList<FrameTotals> Totals() =>
        [.. index.Frames.Concat(ends).GroupBy(frame => frame.Kind).OrderBy(kind => kind.Key).Select(kind => new FrameTotals(
            kind.Key.ToString().ToLowerInvariant(), kind.Count(), kind.Count(frame => frame.Stored < frame.Raw + file.Preamble.TagLength),
            kind.Sum(frame => (long)frame.Raw), kind.Sum(frame => (long)frame.Stored)))];

    /// <summary>Reads every frame and says what is wrong with each; of the index and the trailer all is known since the pack was opened.</summary>
    internal IEnumerable<string> FaultsOfFrames(CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        var buffer = Array.Empty<byte>();
        try
        {
            foreach (var frame in index.Frames)
            {
                cancellation.ThrowIfCancellationRequested();
                var fault = file.FaultOfRead(frame.Offset, frame.End, ref buffer, out var found);
                if (fault is not null || found != frame)
                {
                    yield return file.Refuse(frame.Offset, fault ?? "there is another frame than the index says").Message;
                }
            }
        }
        finally
        {
            FrameFile.Fit(ref buffer, 0);
        }
    }

    /// <summary>Reads every frame and checks it.</summary>
    /// <exception cref="PackFormatException"/>
    public void VerifyFrames(CancellationToken cancellation)
    {
        if (FaultsOfFrames(cancellation).FirstOrDefault() is { } fault)
        {
            throw new PackFormatException(fault);
        }
    }

    /// <summary>
    /// How many bytes from the start are whole frames with good checksums: where an interrupted transfer may resume. Bounded by the file's length; 0 when the header is
    /// not whole, or not one this program reads.
    /// </summary>
    public static long SafePrefix(string path)
    {
        using var file = new FrameFile(path);
        return file.SafePrefix();
    }

    public void Dispose()
    {
        disposed = true;
        cache.Dispose();
        file.Dispose();
    }

    private void ReadIndex(ref byte[] buffer)
    {
        var end = file.Length - FrameHeader.Length - PackFormat.TrailerLength - file.Preamble.TagLength;
        if (end < file.Preamble.Length)
        {
            throw file.Refuse($"it is cut short: {file.Length} bytes have no room for a trailer");
        }

        if (file.FaultOfRead(end, file.Length, ref buffer, out var last) is { } cut)
        {
            throw file.Refuse(end, $"where its trailer must be, there is none ({cut}): it was cut short, or its end is damaged");
        }

        var trailer = last.Kind == FrameKind.Trailer && last.End == file.Length ? PackTrailer.Parse(buffer.AsSpan(0, last.Raw)) : null;
        if (trailer is not { } found || found.IndexOffset < file.Preamble.Length || found.IndexOffset >= end)
        {
            throw file.Refuse(end, "where its trailer must be, there is none");
        }

        var offset = found.IndexOffset;
        var raw = 0L;
        var count = 0;
        try
        {
            while (offset < end)
            {
                var frame = file.Read(offset, end, ref buffer);
                raw += frame.Raw;
                if (frame.Kind != FrameKind.Index || ++count > found.IndexFrames || raw > PackFormat.MaxIndexBytes)
                {
                    throw new InvalidDataException("where a frame of the index must be, there is another, or the index is too long");
                }

                ends.Add(frame);
                index.Add(PackRecords.Parse(PackRecords.Index, buffer.AsSpan(0, frame.Raw)));
                offset = frame.End;
            }

            if (count != found.IndexFrames)
            {
                throw new InvalidDataException($"the index has {count} frames; the trailer says {found.IndexFrames}");
            }

            index.Complete(found);
            ends.Add(last);
        }
        catch (InvalidDataException e)
        {
            throw file.Refuse(offset, e.Message);
        }
    }

    private PackHeader ReadHeader(ref byte[] buffer)
    {
        var frame = index.Frames[0];
        ReadAsListed(frame, ref buffer);
        try
        {
            return PackRecords.Decode(PackRecords.Parse(PackRecords.Header, buffer.AsSpan(0, frame.Raw)));
        }
        catch (InvalidDataException e)
        {
            throw file.Refuse(frame.Offset, e.Message);
        }
    }

    private void ReadAsListed(FramePlace frame, ref byte[] buffer)
    {
        if (file.Read(frame.Offset, frame.End, ref buffer) != frame)
        {
            throw file.Refuse(frame.Offset, "there is another frame than the index says");
        }
    }

    private void AddChanges(FramePlace frame, ReadOnlySpan<byte> record, List<DirectoryMove> moves, List<Entry> put, List<EntryPath> removed)
    {
        try
        {
            var changes = PackRecords.Parse(PackRecords.Changes, record);
            foreach (var move in changes.Moved)
            {
                moves.Add(new DirectoryMove(EntryPath.Parse(move.OldPath.Span), EntryPath.Parse(move.NewPath.Span)));
            }

            foreach (var entry in changes.Put)
            {
                put.Add(EntryRecords.Decode(entry));
            }

            foreach (var path in changes.Removed)
            {
                removed.Add(EntryPath.Parse(path.Span));
            }
        }
        catch (InvalidDataException e)
        {
            throw file.Refuse(frame.Offset, e.Message);
        }
    }

    /// <summary>The index seen as what callers ask of it, without a second list.</summary>
    private sealed class BlobList(IReadOnlyList<BlobPlace> places) : IReadOnlyCollection<BlobInfo>
    {
        public int Count => places.Count;

        public static BlobInfo InfoOf(BlobPlace place) => new(place.Hash, place.Basis, place.Size, place.Length);

        public IEnumerator<BlobInfo> GetEnumerator() => places.Select(InfoOf).GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
