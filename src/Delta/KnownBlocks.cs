namespace Mirror.Delta;

/// <summary>
/// Blocks of the target that are blocks of the basis, as the operations that pass through say: their hashes are in the basis's signature already. A content that was appended to, or overwritten
/// in place, is signed without hashing it a second time.
/// </summary>
internal sealed class KnownBlocks(BlockSignature basis, IOperationSink sink) : IOperationSink
{
    private List<KnownRun> _gathered = [];
    private long _position;

    /// <summary>What was signed in the same blocks.</summary>
    public BlockSignature Basis => basis;

    public void Copy(long offset, long length)
    {
        long first = RoundUp(_position);
        long end = RoundDown(Math.Min(_position + length, _position + (RoundDown(basis.ContentLength) - offset)));
        if ((offset - _position) % basis.BlockLength == 0 && end > first)
        {
            Gather(new((int)(first / basis.BlockLength), (int)((first + offset - _position) / basis.BlockLength), (int)((end - first) / basis.BlockLength)));
        }
        _position += length;
        sink.Copy(offset, length);
    }

    public void Literal(ReadOnlySpan<byte> bytes)
    {
        _position += bytes.Length;
        sink.Literal(bytes);
    }

    /// <summary>What was gathered since the last time, in the order of the target.</summary>
    public List<KnownRun> Take()
    {
        List<KnownRun> taken = _gathered;
        _gathered = [];
        return taken;
    }

    private void Gather(KnownRun run)
    {
        if (_gathered.Count > 0 && _gathered[^1].TryJoin(run) is { } joined)
        {
            _gathered[^1] = joined;
        }
        else
        {
            _gathered.Add(run);
        }
    }

    private long RoundUp(long offset) => RoundDown(offset + basis.BlockLength - 1);

    private long RoundDown(long offset) => offset - (offset % basis.BlockLength);
}

/// <param name="Target">Number of the first block in the target.</param>
/// <param name="Source">Its number in the basis.</param>
/// <param name="Count">How many blocks, one after the other in both.</param>
internal readonly record struct KnownRun(int Target, int Source, int Count)
{
    public KnownRun? TryJoin(KnownRun next) => next.Target == Target + Count && next.Source == Source + Count ? this with { Count = Count + next.Count } : null;
}
