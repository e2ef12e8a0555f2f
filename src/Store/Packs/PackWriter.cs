using System.Buffers;
using Google.Protobuf;
using Mirror.Store.Manifests;
using Mirror.Store.Records;
using Mirror.Store.Versions;

namespace Mirror.Store.Packs;

/// <summary>From which version a pack leads to which. <see cref="From"/> none: from nothing, its entries are the whole manifest.</summary>
/// <param name="Partial">Some contents of <see cref="To"/> are neither in <see cref="From"/> nor in the pack; only a tree that has them can apply it.</param>
public sealed record PackHeader(string Site, VersionId From, ContentHash FromRoot, VersionId To, bool Partial);

/// <summary>
/// Writes a pack as one forward stream of checksummed frames: header, blobs, changes, index, trailer (docs/format.md). A blob is a content by its SHA-256,
/// whole or as a delta from another content; identical contents are written once. Full frames are compressed on other threads, up to four at a time: memory is at most
/// 25 MiB, and a line of index for each blob, whatever the contents' sizes.
/// </summary>
public sealed class PackWriter : IAsyncDisposable
{
    /// <summary>So much of a pack's deltas is compressed thoroughly: half a second's work at most.</summary>
    private const long MaxThorough = 16 << 20;

    private readonly PackHeader header;
    private readonly byte[] headerRecord;
    private readonly FrameWriter frames;
    private readonly HashSet<ContentHash> known = [];
    private readonly List<BlobPlace> blobs = [];

    // The data stream: what is in frames already, and the tail that waits for its frame to fill.
    private byte[] tail = ArrayPool<byte>.Shared.Rent(PackFormat.MaxRawFrame);
    private int tailLength;
    private long framed;

    // How much of the tail is of blobs that are deltas; such frames are compressed harder.
    private int tailOfDeltas;
    private long framedOfDeltas;

    private PackBlob? open;
    private int tailOfDeltasAtOpening;
    private bool completed;

    /// <param name="output">Written from its present position on; stays the caller's.</param>
    /// <param name="key">Encrypts the pack; null leaves it readable to everybody.</param>
    /// <exception cref="ArgumentException">The header contradicts itself.</exception>
    public PackWriter(Stream output, PackHeader header, PackKey? key = null)
    {
        this.header = header;
        headerRecord = PackRecords.Encode(header).ToByteArray();
        frames = new FrameWriter(output, key);
    }

    internal long DataLength => framed + tailLength;

    public bool Contains(ContentHash hash) => known.Contains(hash);

    /// <summary>Opens a blob; write the delta (FileDelta format; a whole content is a delta without a basis) to <see cref="PackBlob.Delta"/>. One at a time.</summary>
    /// <param name="isDelta">It will have a basis, and so be small beside its content: worth compressing harder. A wrong word costs only time or bytes.</param>
    public PackBlob BeginBlob(bool isDelta = false)
    {
        RefuseWhenOver();
        tailOfDeltasAtOpening = tailOfDeltas;
        return open = new PackBlob(this, DataLength, isDelta);
    }

    /// <summary>Copies a blob of another pack as it is. Does nothing when this pack has the content.</summary>
    /// <exception cref="KeyNotFoundException">The other pack has no such blob.</exception>
    public async Task CopyBlobAsync(PackReader source, ContentHash hash, CancellationToken cancellation)
    {
        var blob = source.Find(hash) ?? throw new KeyNotFoundException($"The pack {source.Path} has no blob {hash}.");
        RefuseWhenOver();
        if (Contains(hash))
        {
            return;
        }

        await using var copy = BeginBlob(!blob.Basis.IsNone);
        await using var delta = source.OpenDelta(hash);
        await delta.CopyToAsync(copy.Delta, cancellation);
        await copy.CompleteAsync(hash, blob.Basis, blob.Size);
    }

    /// <summary>Ends the pack: changes, index with the version, trailer. The output is flushed, not synced.</summary>
    /// <exception cref="ArgumentException">The version is not the one the header leads to, or the changes are not in manifest order.</exception>
    public async Task CompleteAsync(VersionRecord version, PackChanges changes, CancellationToken cancellation)
    {
        RefuseWhenOver();
        if (version.Id != header.To || version.Site != header.Site)
        {
            throw new ArgumentException($"The pack leads to {header.To} of {header.Site}; it cannot end with {version.Id} of {version.Site}.", nameof(version));
        }

        if (PackIndex.FaultOf(header, changes) is { } fault)
        {
            throw new ArgumentException($"The changes to {header.To} cannot be written: {fault}.", nameof(changes));
        }

        var record = VersionRecords.Encode(version);
        await BeginAsync(cancellation);
        if (tailLength > 0)
        {
            await frames.WriteAsync(FrameKind.Data, tail.AsMemory(0, tailLength), EffortOfTail, cancellation);
            TailWasFramed();
        }

        await WriteChangesAsync(changes, cancellation);
        await WriteIndexAsync(record, cancellation);
        await frames.FlushAsync(cancellation);
        completed = true;
    }

    /// <inheritdoc cref="CompleteAsync(VersionRecord, PackChanges, CancellationToken)"/>
    public Task CompleteAsync(VersionRecord version, ManifestDelta changes, CancellationToken cancellation) => CompleteAsync(version, PackChanges.Plain(changes), cancellation);

    public async ValueTask DisposeAsync()
    {
        completed = true;
        await frames.DisposeAsync();
        FrameFile.Fit(ref tail, 0);
    }

    internal void Append(PackBlob blob, ReadOnlySpan<byte> delta)
    {
        RefuseUnlessOpen(blob);
        while (!delta.IsEmpty)
        {
            if (tailLength == PackFormat.MaxRawFrame)
            {
                BeginAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
                tail = frames.HandOver(FrameKind.Data, tail, tailLength, EffortOfTail);
                TailWasFramed();
            }

            delta = delta[Take(blob, delta)..];
        }
    }

    internal async ValueTask AppendAsync(PackBlob blob, ReadOnlyMemory<byte> delta, CancellationToken cancellation)
    {
        RefuseUnlessOpen(blob);
        while (!delta.IsEmpty)
        {
            if (tailLength == PackFormat.MaxRawFrame)
            {
                await BeginAsync(cancellation);
                tail = await frames.HandOverAsync(FrameKind.Data, tail, tailLength, EffortOfTail, cancellation);
                TailWasFramed();
            }

            delta = delta[Take(blob, delta.Span)..];
        }
    }

    internal void Complete(PackBlob blob, ContentHash hash, ContentHash basis, long size)
    {
        RefuseUnlessOpen(blob);
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        var place = new BlobPlace(hash, basis, blob.Start, DataLength - blob.Start, size);
        if (PackIndex.FaultOf(header, place) is { } fault)
        {
            throw new ArgumentException($"The blob {hash} cannot be written: {fault}.", nameof(hash));
        }

        if (known.Add(hash))
        {
            blobs.Add(place);
            open = null;
        }
        else
        {
            GiveUp(blob);
        }
    }

    /// <summary>Drops what the blob wrote as far as it is in no frame yet.</summary>
    internal void GiveUp(PackBlob blob)
    {
        if (open == blob)
        {
            tailOfDeltas = blob.Start < framed ? 0 : tailOfDeltasAtOpening;
            tailLength = (int)Math.Max(0, blob.Start - framed);
            open = null;
        }
    }

    // Deltas without end are contents that were written anew from beginning to end: they are compressed as fast as other whole ones.
    private CompressionEffort EffortOfTail =>
        tailOfDeltas > tailLength / 2 && framedOfDeltas < MaxThorough ? CompressionEffort.Thorough : CompressionEffort.Fast;

    private int Take(PackBlob blob, ReadOnlySpan<byte> delta)
    {
        var count = Math.Min(delta.Length, PackFormat.MaxRawFrame - tailLength);
        delta[..count].CopyTo(tail.AsSpan(tailLength));
        tailLength += count;
        tailOfDeltas += blob.IsDelta ? count : 0;
        return count;
    }

    private void TailWasFramed()
    {
        framed += tailLength;
        framedOfDeltas += tailOfDeltas;
        tailLength = 0;
        tailOfDeltas = 0;
    }

    private async ValueTask BeginAsync(CancellationToken cancellation)
    {
        if (frames.Offset == 0)
        {
            await frames.WriteAsync(FrameKind.Header, headerRecord, CompressionEffort.Fast, cancellation);
        }
    }

    private async Task WriteChangesAsync(PackChanges changes, CancellationToken cancellation)
    {
        var chunk = new ChangesRecord();
        var size = 0;
        foreach (var move in changes.Moves)
        {
            var message = new MoveRecord { OldPath = ByteString.CopyFrom(move.From.Bytes), NewPath = ByteString.CopyFrom(move.To.Bytes) };
            await MakeRoomAsync(PackRecords.CostOf(message), move.From);
            chunk.Moved.Add(message);
        }

        foreach (var entry in changes.Put)
        {
            var message = EntryRecords.Encode(entry);
            await MakeRoomAsync(PackRecords.CostOf(message), entry.Path);
            chunk.Put.Add(message);
        }

        foreach (var path in changes.Removed)
        {
            await MakeRoomAsync(PackRecords.CostOf(path.Bytes.Length), path);
            chunk.Removed.Add(ByteString.CopyFrom(path.Bytes));
        }

        if (size > 0)
        {
            await WriteRecordAsync(FrameKind.Changes, chunk, cancellation);
        }

        async ValueTask MakeRoomAsync(int cost, EntryPath path)
        {
            if (cost > PackFormat.MaxRawFrame)
            {
                throw new InvalidDataException(
                    $"The entry \"{path}\" takes {cost} bytes with its extended attributes; a pack carries {PackFormat.MaxRawFrame} at most. Leave its attributes out, or the entry.");
            }

            if (size + cost > PackFormat.MaxRawFrame)
            {
                await WriteRecordAsync(FrameKind.Changes, chunk, cancellation);
                chunk = new ChangesRecord();
                size = 0;
            }

            size += cost;
        }
    }

    private async Task WriteIndexAsync(VersionRecordMessage version, CancellationToken cancellation)
    {
        await frames.DrainAsync(cancellation);
        var start = frames.Offset;
        FramePlace[] before = [.. frames.Places];
        var chunk = new PackIndexRecord { Version = version };
        var size = PackRecords.CostOf(version);
        if (size > PackFormat.MaxRawFrame)
        {
            throw new InvalidDataException($"The record of version {header.To} takes {size} bytes, for its {version.Dumps.Count} dump labels; a pack carries {PackFormat.MaxRawFrame} at most.");
        }

        foreach (var blob in blobs)
        {
            var record = blob.ToRecord();
            await MakeRoomAsync(PackRecords.CostOf(record));
            chunk.Blobs.Add(record);
        }

        foreach (var place in before)
        {
            var record = new FrameRecord { FileOffset = (ulong)place.Offset, Stored = (uint)place.Stored, Raw = (uint)place.Raw, Kind = (uint)place.Kind };
            await MakeRoomAsync(PackRecords.CostOf(record));
            chunk.Frames.Add(record);
        }

        await WriteRecordAsync(FrameKind.Index, chunk, cancellation);
        var trailer = new PackTrailer(start, before.Length, frames.Places.Count - before.Length, framed).ToBytes();
        await frames.WriteAsync(FrameKind.Trailer, trailer, CompressionEffort.Fast, cancellation);

        async ValueTask MakeRoomAsync(int cost)
        {
            if (size + cost > PackFormat.MaxRawFrame)
            {
                await WriteRecordAsync(FrameKind.Index, chunk, cancellation);
                chunk = new PackIndexRecord();
                size = 0;
            }

            size += cost;
        }
    }

    // The tail is empty by now: its room serves for the records.
    private async ValueTask WriteRecordAsync(FrameKind kind, IMessage record, CancellationToken cancellation)
    {
        var size = record.CalculateSize();
        record.WriteTo(tail.AsSpan(0, size));
        await frames.WriteAsync(kind, tail.AsMemory(0, size), CompressionEffort.Fast, cancellation);
    }

    private void RefuseWhenOver()
    {
        if (completed)
        {
            throw new InvalidOperationException("This pack is complete, or its writer is disposed.");
        }

        if (open is not null)
        {
            throw new InvalidOperationException("A blob of this pack is still open: complete or dispose it first.");
        }
    }

    private void RefuseUnlessOpen(PackBlob blob)
    {
        if (completed || open != blob)
        {
            throw new InvalidOperationException("This blob is complete, given up, or its pack is.");
        }
    }
}
