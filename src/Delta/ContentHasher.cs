using System.IO.Hashing;
using System.Security.Cryptography;

namespace Mirror.Delta;

/// <summary>What a whole content is known by, once it was read.</summary>
public enum WholeHash : byte
{
    /// <summary>SHA-256, 32 bytes. Nobody can make another content with it. Without instructions for it, a processor takes longer for this than for all the rest of a diff.</summary>
    Sha256 = 1,

    /// <summary>XXH3 of 128 bits, no key, most significant byte first. Finds accidents, ten times as fast.</summary>
    XxHash128 = 2,
}

/// <summary>The hash of a whole content, piece by piece.</summary>
internal sealed class ContentHasher(WholeHash kind) : IDisposable
{
    private readonly IncrementalHash? _sha256 = kind == WholeHash.Sha256 ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
    private readonly XxHash128? _quick = kind == WholeHash.XxHash128 ? new() : null;

    public void Append(ReadOnlySpan<byte> piece)
    {
        _sha256?.AppendData(piece);
        _quick?.Append(piece);
    }

    public byte[] Finish() => _sha256?.GetHashAndReset() ?? _quick!.GetHashAndReset();

    public void Dispose() => _sha256?.Dispose();
}
