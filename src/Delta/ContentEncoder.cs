namespace Mirror.Delta;

/// <summary>One pass over the target: read, hashed, signed and searched; the operations go to a sink.</summary>
internal static class ContentEncoder
{
    // A target of unknown length (a pipe, with no basis to compare) is signed in blocks for this one.
    private const long UnknownLength = 64 << 20;

    /// <summary>Writes the delta from the signed basis; without one, a literal.</summary>
    public static async Task<ContentDigest> RunAsync(Stream target, BlockSignature? basis, BlockKey key, WholeHash hash, Stream delta, CancellationToken cancellation)
    {
        using DeltaWriter writer = new(delta);
        ContentDigest digest = await RunAsync(target, basis, key, hash, writer, cancellation);
        writer.Finish();
        return digest;
    }

    public static async Task<ContentDigest> RunAsync(Stream target, BlockSignature? basis, BlockKey key, WholeHash hash, IOperationSink sink, CancellationToken cancellation)
    {
        long expectedLength = target.CanSeek ? Math.Max(0, target.Length - target.Position) : basis?.ContentLength ?? UnknownLength;
        Encoder? encoder = basis is { ContentLength: > 0 } ? new(basis, key, sink) : null;
        await using ContentPass pass = new(target, expectedLength, encoder?.LookAhead ?? 0, key, hash);
        while (await pass.FillAsync(cancellation))
        {
            if (encoder is null)
            {
                sink.Literal(pass.Window[pass.Start..pass.End]);
                pass.Start = pass.End;
            }
            else
            {
                pass.Start += encoder.Search(pass.Window[pass.Start..pass.End], isLast: false);
            }
        }
        encoder?.Search(pass.Window[pass.Start..pass.End], isLast: true);
        return await pass.FinishAsync();
    }
}
