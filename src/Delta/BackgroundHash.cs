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

/// <summary>
/// The hash of a whole content beside the work on the same bytes. SHA-256 is the slowest thing here, so a large piece is hashed on another thread while this
/// one searches it, writes it, or reads the next. One piece is under way at a time; its bytes must not change before <see cref="DrainAsync"/> or the next piece.
/// </summary>
internal sealed class BackgroundHash(WholeHash kind) : IAsyncDisposable
{
    // Below this, handing over costs more than it gains.
    private const int WorthHandingOver = 128 << 10;

    private readonly IncrementalHash? _sha256 = kind == WholeHash.Sha256 ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
    private readonly XxHash128? _quick = kind == WholeHash.XxHash128 ? new() : null;
    private Task _underWay = Task.CompletedTask;

    public async ValueTask AppendAsync(ReadOnlyMemory<byte> piece)
    {
        await DrainAsync();
        if (piece.Length < WorthHandingOver)
        {
            Append(piece.Span);
        }
        else
        {
            _underWay = Task.Run(() => Append(piece.Span));
        }
    }

    /// <summary>Afterwards no byte given so far is needed any more.</summary>
    public Task DrainAsync() => _underWay;

    public async ValueTask<byte[]> FinishAsync()
    {
        await DrainAsync();
        return _sha256?.GetHashAndReset() ?? _quick!.GetHashAndReset();
    }

    public async ValueTask DisposeAsync()
    {
        await DrainAsync();
        _sha256?.Dispose();
    }

    private void Append(ReadOnlySpan<byte> piece)
    {
        _sha256?.AppendData(piece);
        _quick?.Append(piece);
    }
}
