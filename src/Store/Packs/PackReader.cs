using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Store.Packs;

/// <summary>A pack that cannot be trusted or understood: cut short, flipped bits, over a bound, of a newer format. Names the file and the place.</summary>
public sealed class PackFormatException(string message) : Exception(message);

/// <param name="Basis">None: the delta holds the whole content.</param>
/// <param name="StoredBytes">Bytes of the delta before compression.</param>
public sealed record BlobInfo(ContentHash Hash, ContentHash Basis, long Size, long StoredBytes);

/// <summary>Random access to a pack file. Opening checks the trailer and the index; each frame's checksum is checked when it is read. Safe for one reader at a time.</summary>
public sealed class PackReader : IDisposable
{
    private readonly FrameFile file;
    private readonly PackIndex index = new();
    private readonly DataFrameCache cache;
    private bool disposed;

    private PackReader(FrameFile file)
    {
        this.file = file;
        cache = new DataFrameCache(file, index);
        var buffer = Array.Empty<byte>();
        try
        {
            if (file.FaultOfFileHeader() is { } fault)
            {
                throw file.Refuse(fault);
            }

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

    /// <exception cref="PackFormatException"/>
    public static PackReader Open(string path)
    {
        var file = new FrameFile(path);
        try
        {
            return new PackReader(file);
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

    public PackHeader Header { get; }

    public VersionRecord Version { get; }

    public IReadOnlyCollection<BlobInfo> Blobs { get; }

    public BlobInfo? Find(ContentHash hash) => index.Find(hash) is { } blob ? BlobList.InfoOf(blob) : null;

    /// <exception cref="PackFormatException"/>
    public ManifestDelta ReadChanges()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
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
                    AddChanges(frame, buffer.AsSpan(0, frame.Raw), put, removed);
                }
            }
        }
        finally
        {
            FrameFile.Fit(ref buffer, 0);
        }

        var changes = new ManifestDelta(put, removed);
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

    /// <summary>Reads every frame and checks it.</summary>
    /// <exception cref="PackFormatException"/>
    public void VerifyFrames(CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        var buffer = Array.Empty<byte>();
        try
        {
            foreach (var frame in index.Frames)
            {
                cancellation.ThrowIfCancellationRequested();
                ReadAsListed(frame, ref buffer);
            }
        }
        finally
        {
            FrameFile.Fit(ref buffer, 0);
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
        var end = file.Length - PackFormat.TrailerFrameLength;
        if (end < PackFormat.FileHeaderLength)
        {
            throw file.Refuse($"it is cut short: {file.Length} bytes have no room for a trailer");
        }

        var last = file.Read(end, file.Length, ref buffer);
        var trailer = last.Kind == FrameKind.Trailer && last.End == file.Length ? PackTrailer.Parse(buffer.AsSpan(0, last.Raw)) : null;
        if (trailer is not { } found || found.IndexOffset < PackFormat.FileHeaderLength || found.IndexOffset >= end)
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

                index.Add(PackRecords.Parse(PackRecords.Index, buffer.AsSpan(0, frame.Raw)));
                offset = frame.End;
            }

            if (count != found.IndexFrames)
            {
                throw new InvalidDataException($"the index has {count} frames; the trailer says {found.IndexFrames}");
            }

            index.Complete(found);
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

    private void AddChanges(FramePlace frame, ReadOnlySpan<byte> record, List<Entry> put, List<EntryPath> removed)
    {
        try
        {
            var changes = PackRecords.Parse(PackRecords.Changes, record);
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
