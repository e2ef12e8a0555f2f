using Mirror.Delta;
using ZstdSharp;

namespace Mirror.Store.DeltaFiles;

/// <summary>Reads a delta file forward. What the delta yields is known when all of it was read: the trailer comes last.</summary>
public sealed class DeltaFileReader : IDisposable
{
    private readonly string name;
    private readonly TailHeldBack payload;

    /// <param name="input">Read from its position on; stays the caller's.</param>
    /// <param name="name">Of the file, for errors.</param>
    /// <exception cref="DeltaFormatException">It is no delta file, or a newer one.</exception>
    public DeltaFileReader(Stream input, string name)
    {
        this.name = name;
        var header = new byte[DeltaFile.HeaderLength];
        var read = input.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
        if (DeltaFile.Parse(header.AsSpan(0, read), out var basisLength, out var hash) is { } fault)
        {
            throw new DeltaFormatException($"The delta {name} cannot be read: {fault}.");
        }

        BasisLength = basisLength;
        Hash = hash;
        payload = new TailHeldBack(new DecompressionStream(input, leaveOpen: true), DeltaFile.TrailerLength, name);
    }

    /// <summary>Length in bytes of the content the delta was made for.</summary>
    public long BasisLength { get; }

    /// <summary>Which hash of what it yields it carries.</summary>
    public WholeHash Hash { get; }

    /// <summary>The delta (FileDelta format). Forward only.</summary>
    public Stream Delta => payload;

    /// <summary>Length and hash of what the delta yields. Only after <see cref="Delta"/> was read to its end.</summary>
    public (long TargetLength, byte[] Hash) Target => DeltaFile.ParseTrailer(payload.Tail);

    /// <summary>
    /// Builds the target. Its length and hash are compared with what the delta says; a caller gives it its name only afterwards.
    /// </summary>
    /// <param name="basis">Seekable.</param>
    /// <exception cref="DeltaFormatException">What was built is not the target: the basis is another one, or changed; or the delta is damaged.</exception>
    public async Task<(long Length, byte[] Hash)> ApplyAsync(Stream basis, Stream target, CancellationToken cancellation)
    {
        var (length, found) = await FileDelta.ApplyAsync(basis, payload, target, long.MaxValue, cancellation, Hash);
        var (targetLength, hash) = Target;
        var expected = hash.AsSpan(0, found.Length);
        if (length != targetLength || !expected.SequenceEqual(found))
        {
            throw new DeltaFormatException(
                $"The delta {name} does not fit this old file: the result has {length} bytes and the hash {Convert.ToHexStringLower(found)}, not {targetLength} and " +
                $"{Convert.ToHexStringLower(expected)}. Nothing was written. Use the file that was signed, as it was then.");
        }

        return (length, found);
    }

    public void Dispose() => payload.Dispose();
}

/// <summary>Hands out all of a stream but its last bytes, which it keeps: a trailer, where nobody knows beforehand how long the rest is.</summary>
internal sealed class TailHeldBack(Stream inner, int tailLength, string name) : Stream
{
    // Always the bytes that come next, at least a tail's worth of them until the end.
    private readonly byte[] ahead = new byte[(64 << 10) + tailLength];
    private int from;
    private int to;
    private bool ended;

    public ReadOnlySpan<byte> Tail => ended && to - from == tailLength
        ? ahead.AsSpan(from, tailLength)
        : throw new InvalidOperationException("The stream was not read to its end.");

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        if (to - from <= tailLength && !ended)
        {
            Fill();
        }

        var count = Math.Min(buffer.Length, to - from - tailLength);
        ahead.AsSpan(from, count).CopyTo(buffer);
        from += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        inner.Dispose();
        base.Dispose(disposing);
    }

    private void Fill()
    {
        ahead.AsSpan(from, to - from).CopyTo(ahead);
        (from, to) = (0, to - from);
        try
        {
            // A byte more than a tail, or the end.
            while (to <= tailLength && !ended)
            {
                var read = inner.Read(ahead.AsSpan(to));
                to += read;
                ended = read == 0;
            }
        }
        catch (Exception fault) when (fault is ZstdException or EndOfStreamException)
        {
            throw new DeltaFormatException($"The delta {name} is damaged or cut short ({fault.Message.TrimEnd('.')}). Make it again.");
        }

        if (to < tailLength)
        {
            throw new DeltaFormatException($"The delta {name} is cut short: it ends before its trailer. Make it again.");
        }
    }
}
