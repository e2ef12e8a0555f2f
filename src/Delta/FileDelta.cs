namespace Mirror.Delta;

/// <summary>Keys the strong block hashes of one site (XXH3-128 seed), so that nobody outside can prepare colliding blocks.</summary>
public readonly record struct BlockKey(ulong Seed);

/// <summary>What one pass over a content yields: its length, its hash (SHA-256, unless another was asked for) and its block signature.</summary>
public sealed record ContentDigest(long Length, byte[] Hash, BlockSignature Signature);

/// <summary>What one pass found of a signed basis in a content: enough to write the delta later, with both contents at hand.</summary>
public sealed class FoundCopies
{
    internal FoundCopies(ContentDigest digest, long basisLength, List<CopiedRange> ranges)
    {
        Digest = digest;
        BasisLength = basisLength;
        Ranges = ranges;
    }

    public ContentDigest Digest { get; }

    /// <summary>It is the basis, as far as a keyed signature tells.</summary>
    public bool IsBasis => Digest.Length == BasisLength && Ranges is [{ Source: 0, Target: 0 } one] && one.Length == BasisLength;

    internal long BasisLength { get; }

    internal List<CopiedRange> Ranges { get; }
}

/// <summary>A delta, or a signature, that cannot be what it claims: truncated, out of bounds, over a limit.</summary>
public sealed class DeltaFormatException(string message) : Exception(message);

/// <summary>
/// The rsync delta and its algebra on streams. A delta is a sequence of copies from a basis and literals (docs/format.md). No content is held in memory.
/// </summary>
/// <remarks>
/// A delta stream holds exactly one delta, from its position to its end: bytes after the end mark are an error.
/// Streams are read and written in large pieces; give <see cref="FileStream"/>s without a buffer of their own.
/// </remarks>
public static class FileDelta
{
    /// <summary>Reads <paramref name="target"/> once, writes the delta from the signed basis (none: literals), and returns its digest.</summary>
    /// <param name="key">The key the basis was signed with; another one finds nothing and costs only bytes.</param>
    /// <remarks>
    /// Memory: a window of 4 MiB (4 blocks if that is more; less for a short content), about half a MiB of output, the new signature, and for the basis 16 to 32 bytes
    /// a block beside its signature.
    /// </remarks>
    public static Task<ContentDigest> EncodeAsync(
        Stream target, BlockSignature? basis, BlockKey key, Stream delta, CancellationToken cancellation, WholeHash hash = WholeHash.Sha256) =>
        ContentEncoder.RunAsync(target, basis, key, hash, delta, cancellation);

    /// <summary>The same for a content that is in memory and whose hash somebody knows: at once, on this thread.</summary>
    /// <param name="sign">Whether its signature is wanted.</param>
    public static BlockSignature? EncodeHeld(ReadOnlySpan<byte> target, BlockSignature? basis, BlockKey key, Stream delta, bool sign) =>
        ContentEncoder.Run(target, basis, key, delta, sign);

    /// <summary>The byte-exact delta between two contents that somebody holds in memory, without a signature: at once, on this thread. Nobody hashes them.</summary>
    /// <param name="target">Seekable.</param>
    /// <param name="basis">Seekable.</param>
    public static void EncodeExactHeld(Stream target, Stream basis, Stream delta)
    {
        using DeltaWriter writer = new(delta);
        ExactDiffer.Run(basis, target, [], writer, CancellationToken.None);
        writer.Finish();
    }

    /// <summary>
    /// The same, byte-exact, where the basis itself is at hand: what the signature finds is grown beyond the borders of its pieces, and what was moved is found though it is shorter than a piece.
    /// The target is read once, and its edited places once more.
    /// </summary>
    /// <param name="target">Seekable.</param>
    /// <param name="basisContent">What was signed; seekable. Its matching parts are believed, not compared: another content makes a delta that yields another SHA-256.</param>
    /// <remarks>Memory: as without it, 24 bytes a copy (up to three times that while they are gathered), and at most 40 MiB of what was not found in the target, with its index.</remarks>
    public static async Task<ContentDigest> EncodeExactAsync(
        Stream target, BlockSignature basis, Stream basisContent, BlockKey key, Stream delta, CancellationToken cancellation, WholeHash hash = WholeHash.Sha256)
    {
        if (target.Position != 0)
        {
            throw new ArgumentException("The target must be at its start.");
        }
        ThrowUnlessSigned(basis.ContentLength, basisContent);
        FoundCopies found = await FindAsync(target, basis, key, cancellation, hash);
        await WriteExactAsync(found.Ranges, target, basisContent, delta, cancellation);
        return found.Digest;
    }

    /// <summary>
    /// The first half of it, for a content that comes bit by bit and is whole later: reads it once, and remembers what it has of the signed basis. <see cref="WriteExactAsync"/> is the other half.
    /// </summary>
    /// <param name="differs">Called at most once, soon after the content was found to be another than the basis. A beginning of the basis is told by its length only.</param>
    /// <remarks>Memory: 24 bytes a copy, and the new signature, as long as the result is kept.</remarks>
    public static async Task<FoundCopies> FindAsync(
        Stream target, BlockSignature basis, BlockKey key, CancellationToken cancellation, WholeHash hash = WholeHash.Sha256, Action? differs = null)
    {
        CopiedRanges ranges = new();
        ContentDigest digest = await ContentEncoder.RunAsync(target, basis, key, hash, differs is null ? ranges : new FirstDifference(ranges, differs), cancellation);
        return new(digest, basis.ContentLength, ranges.InOrder);
    }

    /// <summary>Writes the delta, byte-exact, of what was found.</summary>
    /// <param name="target">The content that was read, whole; seekable.</param>
    /// <param name="basisContent">What was signed; seekable.</param>
    public static Task WriteExactAsync(FoundCopies found, Stream target, Stream basisContent, Stream delta, CancellationToken cancellation)
    {
        ThrowUnlessSigned(found.BasisLength, basisContent);
        if (target.Length != found.Digest.Length)
        {
            throw new ArgumentException($"The target has {target.Length} bytes; what was searched had {found.Digest.Length}.");
        }
        return WriteExactAsync([.. found.Ranges], target, basisContent, delta, cancellation);
    }

    private static Task WriteExactAsync(List<CopiedRange> ranges, Stream target, Stream basisContent, Stream delta, CancellationToken cancellation) => Beside.RunAsync(
        () =>
        {
            using DeltaWriter writer = new(delta);
            ExactDiffer.Run(basisContent, target, ranges, writer, cancellation);
            writer.Finish();
        },
        cancellation);

    private static void ThrowUnlessSigned(long length, Stream basisContent)
    {
        if (basisContent.Length != length)
        {
            throw new ArgumentException($"The basis has {basisContent.Length} bytes; what was signed had {length}.");
        }
    }

    /// <summary>Writes basis + delta to <paramref name="target"/>. Returns the length and the hash (SHA-256 unless another is asked for) of what was written.</summary>
    /// <param name="basis">Seekable; <see cref="Stream.Null"/> for a whole content.</param>
    /// <remarks>Memory: at most 1.2 MiB, whatever the delta says.</remarks>
    /// <exception cref="DeltaFormatException">A copy outside the basis, a truncated delta, or more than <paramref name="maxLength"/> bytes.</exception>
    public static Task<(long Length, byte[] Hash)> ApplyAsync(
        Stream basis, Stream delta, Stream target, long maxLength, CancellationToken cancellation, WholeHash hash = WholeHash.Sha256) =>
        Patcher.RunAsync(basis, delta, target, maxLength, hash, cancellation);

    /// <summary>The same where the content is known by its signature. Returns whether it is what was signed; it is written in any case.</summary>
    /// <param name="signed">Made of the very content, by the key.</param>
    /// <inheritdoc cref="ApplyAsync(Stream, Stream, Stream, long, CancellationToken, WholeHash)" path="/param|/remarks|/exception"/>
    public static Task<bool> ApplyAsync(Stream basis, Stream delta, Stream target, BlockSignature signed, BlockKey key, CancellationToken cancellation) =>
        Patcher.RunAsync(basis, delta, target, signed, key, cancellation);

    /// <summary>The same into memory, on this thread. Nobody hashes it. Returns the length of what was built.</summary>
    /// <param name="target">Room for as much as the delta may yield.</param>
    /// <exception cref="DeltaFormatException">A copy outside the basis, a truncated delta, or more than <paramref name="target"/> holds.</exception>
    public static int ApplyHeld(Stream basis, Stream delta, Span<byte> target)
    {
        using DeltaReader reader = new(delta, basis.Length, target.Length);
        int length = 0;
        while (reader.Next() is { IsEnd: false } operation)
        {
            Span<byte> piece = target.Slice(length, (int)operation.Length);
            if (operation.IsCopy)
            {
                basis.Position = operation.Offset;
                basis.ReadExactly(piece);
            }
            else
            {
                reader.ReadLiteral(piece);
            }
            length += piece.Length;
        }
        return length;
    }

    /// <summary>Reads a delta without its basis: every operation is checked, nothing is built. Returns the length of what it yields.</summary>
    /// <exception cref="DeltaFormatException">As when it is applied; of copies only those that no basis could have are refused.</exception>
    public static long Measure(Stream delta, long maxLength, CancellationToken cancellation)
    {
        using DeltaReader reader = new(delta, DeltaOp.MaxExtent, maxLength);
        while (reader.Next() is { IsEnd: false })
        {
            cancellation.ThrowIfCancellationRequested();
        }
        return reader.Yield;
    }

    /// <summary>
    /// Derives new→old from old→new with both contents at hand, without a second search: forward copies turn into reverse copies,
    /// grown byte by byte beyond the borders of pieces; what is left of the old content is matched with what is left of the new one, and the rest are literals.
    /// </summary>
    /// <param name="oldContent">Seekable.</param>
    /// <param name="newContent">Seekable.</param>
    /// <param name="forward">The delta old→new.</param>
    /// <remarks>
    /// Memory: 24 bytes a copy of the forward delta (up to four times that while they are sorted), and at most 40 MiB of what was not found in the old content, with its index. A forward copy is believed, not compared again: apply it first, and check its SHA-256.
    /// </remarks>
    /// <exception cref="DeltaFormatException">The forward delta is malformed or does not yield a content as long as the new one.</exception>
    public static Task InvertAsync(
        Stream oldContent, Stream newContent, Stream forward, Stream reverse, CancellationToken cancellation) =>
        Beside.RunAsync(
            () =>
            {
                CopiedRanges ranges = CopiedRanges.Of(forward, oldContent.Length, newContent.Length);
                using DeltaWriter writer = new(reverse);
                ExactDiffer.Run(newContent, oldContent, ranges.Inverted(), writer, cancellation);
                writer.Finish();
            },
            cancellation);

    /// <summary>A→B and B→C give A→C by interval mapping, without building B.</summary>
    /// <param name="first">A→B; seekable.</param>
    /// <param name="second">B→C.</param>
    public static Task ComposeAsync(Stream first, Stream second, Stream composed, CancellationToken cancellation) =>
        ComposeAsync(first, second, composed, long.MaxValue, cancellation);

    /// <summary>A→B and B→C give A→C by interval mapping, without building B.</summary>
    /// <param name="first">A→B; seekable.</param>
    /// <param name="second">B→C.</param>
    /// <param name="maxLength">Length of C at most. Bounds the work when the deltas come from outside: a few bytes can copy the same range again and again.</param>
    /// <remarks>Memory: 16 bytes an operation of the first delta (up to three times that while they are gathered), and about 1 MiB.</remarks>
    /// <exception cref="DeltaFormatException">A delta is malformed, the second copies from beyond the end of B, or C is longer than <paramref name="maxLength"/>.</exception>
    public static Task ComposeAsync(Stream first, Stream second, Stream composed, long maxLength, CancellationToken cancellation) =>
        Beside.RunAsync(
            () =>
            {
                if (!Composer.Run(first, second, composed, maxLength, int.MaxValue, cancellation))
                {
                    throw new DeltaFormatException("The first delta has more operations than memory is given to; it cannot be composed.");
                }
            },
            cancellation);

    /// <summary>The same where memory is scarce, or many deltas are composed in turn.</summary>
    /// <param name="maxOperations">Of the first delta; 16 bytes each are held, up to three times that while they are gathered.</param>
    /// <returns>False: the first delta has more operations. Nothing was written then.</returns>
    /// <exception cref="DeltaFormatException"/>
    public static bool TryCompose(Stream first, Stream second, Stream composed, long maxLength, int maxOperations, CancellationToken cancellation) =>
        Composer.Run(first, second, composed, maxLength, maxOperations, cancellation);
}
