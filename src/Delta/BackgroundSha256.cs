using System.Security.Cryptography;

namespace Mirror.Delta;

/// <summary>
/// SHA-256 beside the work on the same bytes. It is the slowest hash here, about half of all the time of a pass, so a large piece is hashed on another thread while this
/// one searches it, writes it, or reads the next. One piece is under way at a time; its bytes must not change before <see cref="DrainAsync"/> or the next piece.
/// </summary>
internal sealed class BackgroundSha256 : IAsyncDisposable
{
    // Below this, handing over costs more than it gains.
    private const int WorthHandingOver = 128 << 10;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private Task _underWay = Task.CompletedTask;

    public async ValueTask AppendAsync(ReadOnlyMemory<byte> piece)
    {
        await DrainAsync();
        if (piece.Length < WorthHandingOver)
        {
            _hash.AppendData(piece.Span);
        }
        else
        {
            _underWay = Task.Run(() => _hash.AppendData(piece.Span));
        }
    }

    /// <summary>Afterwards no byte given so far is needed any more.</summary>
    public Task DrainAsync() => _underWay;

    public async ValueTask<byte[]> FinishAsync()
    {
        await DrainAsync();
        return _hash.GetHashAndReset();
    }

    public async ValueTask DisposeAsync()
    {
        await DrainAsync();
        _hash.Dispose();
    }
}
