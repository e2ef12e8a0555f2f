namespace Mirror.Delta;

/// <summary>Keys the strong block hashes of one site (XXH3-128 seed), so that nobody outside can prepare colliding blocks.</summary>
public readonly record struct BlockKey(ulong Seed);

/// <summary>What one pass over a content yields: its length, its SHA-256 (32 bytes) and its block signature.</summary>
public sealed record ContentDigest(long Length, byte[] Sha256, BlockSignature Signature);

/// <summary>A delta, or a signature, that cannot be what it claims: truncated, out of bounds, over a limit.</summary>
public sealed class DeltaFormatException(string message) : Exception(message);

/// <summary>
/// The rsync delta and its algebra on streams. A delta is a sequence of copies from a basis and literals (docs/format.md). No stream is held in memory.
/// </summary>
public static class FileDelta
{
    /// <summary>Reads <paramref name="target"/> once, writes the delta from the signed basis (none: one literal run), and returns its digest.</summary>
    public static Task<ContentDigest> EncodeAsync(
        Stream target, BlockSignature? basis, BlockKey key, Stream delta, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Writes basis + delta to <paramref name="target"/>. Returns the length and SHA-256 of what was written.</summary>
    /// <param name="basis">Seekable; <see cref="Stream.Null"/> for a whole content.</param>
    /// <exception cref="DeltaFormatException">A copy outside the basis, a truncated delta, or more than <paramref name="maxLength"/> bytes.</exception>
    public static Task<(long Length, byte[] Sha256)> ApplyAsync(
        Stream basis, Stream delta, Stream target, long maxLength, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>
    /// Derives new→old from old→new with both contents at hand, without a second search: forward copies turn into reverse copies,
    /// grown byte by byte beyond block borders; what is left of the old content becomes literals.
    /// </summary>
    /// <param name="oldContent">Seekable.</param>
    /// <param name="newContent">Seekable.</param>
    /// <param name="forward">The delta old→new.</param>
    public static Task InvertAsync(
        Stream oldContent, Stream newContent, Stream forward, Stream reverse, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>A→B and B→C give A→C by interval mapping, without building B.</summary>
    /// <param name="first">A→B; seekable.</param>
    /// <param name="second">B→C.</param>
    public static Task ComposeAsync(Stream first, Stream second, Stream composed, CancellationToken cancellation) => throw new NotImplementedException();
}
