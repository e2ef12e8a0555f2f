using System.Buffers;

namespace Mirror.Delta;

/// <summary>
/// One pass over a content: a window slides over it, and every byte that enters is hashed, and signed when its user is done with it. The encoder looks at the same bytes in
/// the window, so each byte is read once for all purposes. Hashing and signing go on beside reading and searching, on another thread.
/// </summary>
internal sealed class ContentPass : IAsyncDisposable
{
    private const int MaxWindow = 4 << 20;
    private const int MinWindow = 8 << 10;
    private const int MaxRead = 512 << 10;

    private readonly Stream _content;
    private readonly ContentHasher? _hasher;
    private readonly BackgroundWork _aside = new();
    private readonly bool _signsAside;
    private readonly SignatureBuilder _signature;
    private readonly KnownBlocks? _known;
    private readonly byte[] _window;
    private readonly int _readLength;
    private int _signedTo;
    private long _length;
    private bool _ended;

    /// <param name="expectedLength">Sets the block length of the signature, and the size of the window.</param>
    /// <param name="lookAhead">Bytes the user of the window wants to see at once.</param>
    /// <param name="hash">The hash that is wanted of the whole; none: <see cref="FinishAsync"/> must not be called.</param>
    /// <param name="known">Gathers which of the bytes before <see cref="Start"/> need not be signed again; of no use where the basis has other blocks.</param>
    public ContentPass(Stream content, long expectedLength, int lookAhead, BlockKey key, WholeHash? hash, KnownBlocks? known = null)
    {
        _content = content;
        _hasher = hash is { } kind ? new(kind) : null;
        // Two threads, about as busy: SHA-256 alone outweighs all the rest, a quick hash and the signature together outweigh the search.
        _signsAside = hash != WholeHash.Sha256;
        _signature = new(expectedLength, key);
        _known = known is not null && _signature.HasBlocksOf(known.Basis) ? known : null;
        // One byte more than expected, so that the end is seen by the first read.
        int contentWindow = (int)Math.Clamp(expectedLength + 1, MinWindow, MaxWindow);
        int needed = 2 * Math.Max(lookAhead, _signature.BlockLength);
        _window = ArrayPool<byte>.Shared.Rent(Math.Max(contentWindow, needed));
        // What a slide keeps is less than a look ahead or a block; the rest of the window is free for reading then.
        _readLength = Math.Min(MaxRead, _window.Length - (needed / 2));
    }

    /// <summary>The window's bytes from <see cref="Start"/> to <see cref="End"/> are at hand.</summary>
    public ReadOnlySpan<byte> Window => _window;

    /// <summary>First byte still needed; set by the user, moved by <see cref="FillAsync"/>.</summary>
    public int Start { get; set; }

    public int End { get; private set; }

    /// <summary>Reads on. False at the end of the content: then nothing was added.</summary>
    public async ValueTask<bool> FillAsync(CancellationToken cancellation)
    {
        if (_ended)
        {
            return false;
        }
        if (_window.Length - End < _readLength)
        {
            await _aside.DrainAsync();
            Slide();
        }
        Memory<byte> free = _window.AsMemory(End, _readLength);
        int read = await _content.ReadAtLeastAsync(free, _readLength, throwOnEndOfStream: false, cancellation);
        _ended = read < _readLength;
        if (read == 0)
        {
            return false;
        }
        End += read;
        _length += read;
        await StartAsideAsync(free[..read]);
        return true;
    }

    /// <summary>To be called after <see cref="FillAsync"/> said false.</summary>
    public async ValueTask<ContentDigest> FinishAsync()
    {
        BlockSignature signature = await FinishSignatureAsync();
        return new(_length, _hasher!.Finish(), signature);
    }

    /// <inheritdoc cref="FinishAsync"/>
    public async ValueTask<BlockSignature> FinishSignatureAsync()
    {
        await _aside.DrainAsync();
        Sign(BlocksTo(End));
        return _signature.Finish(_window.AsSpan(_signedTo, End - _signedTo));
    }

    public async ValueTask DisposeAsync()
    {
        await _aside.DrainAsync();
        _hasher?.Dispose();
        ArrayPool<byte>.Shared.Return(_window);
    }

    // The bytes must stay where they are until the work is drained: until the next piece, or the next slide.
    private async ValueTask StartAsideAsync(ReadOnlyMemory<byte> piece)
    {
        await _aside.DrainAsync();
        DecidedBlocks blocks = BlocksTo(Start);
        _aside.Start(piece.Length, () =>
        {
            _hasher?.Append(piece.Span);
            if (_signsAside)
            {
                Sign(blocks);
            }
        });
        if (!_signsAside)
        {
            Sign(blocks);
        }
    }

    /// <summary>The blocks up to there, which will be signed now.</summary>
    private DecidedBlocks BlocksTo(int end)
    {
        int from = _signedTo;
        _signedTo = end - ((end - from) % _signature.BlockLength);
        return new(from, _signedTo, _known?.Take() ?? []);
    }

    private void Sign(DecidedBlocks blocks)
    {
        int from = blocks.From;
        foreach (KnownRun run in blocks.Known)
        {
            int to = from + ((run.Target - _signature.Blocks) * _signature.BlockLength);
            _signature.AddBlocks(_window.AsSpan(from, to - from));
            _signature.AddKnown(_known!.Basis, run.Source, run.Count);
            from = to + (run.Count * _signature.BlockLength);
        }
        _signature.AddBlocks(_window.AsSpan(from, blocks.To - from));
    }

    private void Slide()
    {
        if (_window.Length - (End - Math.Min(Start, _signedTo)) < _readLength)
        {
            Sign(BlocksTo(Start));
        }
        int keep = Math.Min(Start, _signedTo);
        _window.AsSpan(keep, End - keep).CopyTo(_window);
        Start -= keep;
        _signedTo -= keep;
        End -= keep;
    }

    /// <param name="Known">Those among them whose hashes are the basis's.</param>
    private readonly record struct DecidedBlocks(int From, int To, List<KnownRun> Known);
}
