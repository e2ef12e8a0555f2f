using System.Buffers;
using Microsoft.Win32.SafeHandles;
using ZstdSharp;

namespace Mirror.Store.Packs;

/// <summary>
/// The frames of one pack file, read by place. Nothing of a frame is believed before its checksum is right, no buffer is larger than a frame may be, and
/// decompression has room for exactly what the header claims. Every complaint names the file and the byte.
/// An encrypted file's frames can be counted without the key, and read with it.
/// </summary>
internal sealed class FrameFile : IDisposable
{
    private readonly SafeFileHandle handle;
    private readonly Decompressor decompressor = new();
    private byte[] stored = [];
    private PackPreamble? preamble;
    private PackCipher? cipher;

    public FrameFile(string path)
    {
        Path = path;
        handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        Length = RandomAccess.GetLength(handle);
    }

    public string Path { get; }

    public long Length { get; }

    /// <summary>How the file begins; known once <see cref="Begin"/> found it sound.</summary>
    public PackPreamble Preamble => preamble ?? throw new InvalidOperationException("The file header was not read.");

    /// <summary>Null when the file begins as a pack this program reads.</summary>
    public string? Begin()
    {
        Span<byte> start = stackalloc byte[PackPreamble.EncryptedLength];
        return PackPreamble.Parse(start[..ReadAt(0, start)], out preamble);
    }

    /// <summary>Finds the key that opens the frames, if they are encrypted.</summary>
    /// <exception cref="PackKeyException">It is not among these.</exception>
    public void Unlock(IReadOnlyCollection<PackKey> keys)
    {
        if (!Preamble.IsEncrypted)
        {
            return;
        }

        foreach (var key in keys)
        {
            if (Preamble.KeyId.SequenceEqual(key.IdBytes))
            {
                cipher = new PackCipher(key, Preamble);
                return;
            }
        }

        var given = keys.Count == 0 ? "no key was given" : $"what was given is {string.Join(", ", keys)}";
        throw new PackKeyException($"The pack {Path} is encrypted for the key {Convert.ToHexStringLower(Preamble.KeyId)}, and {given}. Open it with that key.");
    }

    /// <summary>Reads the frame at <paramref name="offset"/>, which must end by <paramref name="end"/>, into <paramref name="raw"/> (a pooled array, exchanged for a larger one if need be).</summary>
    /// <exception cref="PackFormatException"/>
    public FramePlace Read(long offset, long end, ref byte[] raw) =>
        FaultOfRead(offset, end, ref raw, out var place) is { } fault ? throw Refuse(offset, fault) : place;

    /// <summary>Null when the frame was read; else what is wrong with it.</summary>
    public string? FaultOfRead(long offset, long end, ref byte[] raw, out FramePlace place)
    {
        Span<byte> head = stackalloc byte[FrameHeader.Length];
        var fault = TryRead(offset, end, head, out var header) ?? Decrypt(head, offset, header);
        if (fault is null)
        {
            Fit(ref raw, header.Raw);
            fault = Decode(header, raw.AsSpan(0, header.Raw));
        }

        place = new FramePlace(offset, header.Stored, header.Raw, header.Kind);
        return fault;
    }

    /// <summary>The whole frames with good checksums from the start of the file, in an order a pack can have.</summary>
    public long SafePrefix()
    {
        if (Begin() is not null)
        {
            return 0;
        }

        Span<byte> head = stackalloc byte[FrameHeader.Length];
        long safe = Preamble.Length;
        FrameKind? previous = null;
        while (previous != FrameKind.Trailer && TryRead(safe, Length, head, out var header) is null && MayFollow(previous, header.Kind))
        {
            previous = header.Kind;
            safe += FrameHeader.Length + header.Stored;
        }

        return safe;
    }

    /// <summary>One header record, data, changes, at least one index frame, one trailer.</summary>
    public static bool MayFollow(FrameKind? previous, FrameKind next) => previous switch
    {
        null => next == FrameKind.Header,
        FrameKind.Header => next is FrameKind.Data or FrameKind.Changes or FrameKind.Index,
        FrameKind.Data or FrameKind.Changes => next >= previous && next != FrameKind.Trailer,
        FrameKind.Index => next is FrameKind.Index or FrameKind.Trailer,
        _ => false,
    };

    public PackFormatException Refuse(long offset, string fault) =>
        new($"The pack {Path} is refused: at byte {offset}, {fault}. Fetch it again, or take another path of packs.");

    public PackFormatException Refuse(string fault) => new($"The pack {Path} is refused: {fault}.");

    public void Dispose()
    {
        handle.Dispose();
        decompressor.Dispose();
        cipher?.Dispose();
        Fit(ref stored, 0);
    }

    /// <summary>Exchanges a pooled array for one of at least <paramref name="length"/> bytes; 0 gives it back.</summary>
    public static void Fit(ref byte[] pooled, int length)
    {
        if (pooled.Length > 0 && (length == 0 || pooled.Length < length))
        {
            ArrayPool<byte>.Shared.Return(pooled);
            pooled = [];
        }

        if (pooled.Length < length)
        {
            pooled = ArrayPool<byte>.Shared.Rent(length);
        }
    }

    // Leaves the stored bytes, checked, in `stored`.
    private string? TryRead(long offset, long end, Span<byte> head, out FrameHeader header)
    {
        var available = (int)Math.Clamp(end - offset, 0, FrameHeader.Length);
        if (FrameHeader.Parse(head[..ReadAt(offset, head[..available])], Preamble.TagLength, out header) is { } fault)
        {
            return fault;
        }

        if (header.Stored > end - offset - FrameHeader.Length)
        {
            return "the frame is cut short";
        }

        Fit(ref stored, header.Stored);
        var body = stored.AsSpan(0, header.Stored);
        if (ReadAt(offset + FrameHeader.Length, body) < body.Length)
        {
            return "the frame is cut short";
        }

        return FrameHeader.IsChecksumRight(head, body, offset) ? null : "the frame's checksum is wrong";
    }

    private string? Decrypt(ReadOnlySpan<byte> head, long offset, FrameHeader header)
    {
        if (!Preamble.IsEncrypted)
        {
            return null;
        }

        var opener = cipher ?? throw new InvalidOperationException("An encrypted pack is read before it is unlocked.");
        return opener.TryOpen(head, offset, stored.AsSpan(0, header.Stored))
            ? null
            : "the frame does not open with the pack's key although its checksum is right: somebody without the key wrote it, or put it there";
    }

    private string? Decode(FrameHeader header, Span<byte> raw)
    {
        var body = stored.AsSpan(0, header.Stored - Preamble.TagLength);
        if (header.Codec == FrameCodec.Raw)
        {
            body.CopyTo(raw);
            return null;
        }

        try
        {
            return decompressor.TryUnwrap(body, raw, out var written) && written == raw.Length
                ? null
                : $"the frame does not decompress to the {raw.Length} bytes it claims";
        }
        catch (ZstdException e)
        {
            return $"the frame does not decompress ({e.Message})";
        }
    }

    private int ReadAt(long offset, Span<byte> destination)
    {
        var read = 0;
        while (read < destination.Length)
        {
            var count = RandomAccess.Read(handle, destination[read..], offset + read);
            if (count == 0)
            {
                break;
            }

            read += count;
        }

        return read;
    }
}
