namespace Mirror.Delta;

/// <summary>One pass over the target: read, hashed, signed and searched; the operations go to a sink.</summary>
internal static class ContentEncoder
{
    // A target of unknown length (a pipe, with no basis to compare) is signed in blocks for this one.
    private const long UnknownLength = 64 << 20;

    /// <summary>Writes the delta from the signed basis; without one, a literal.</summary>
    public static async Task<ContentDigest> RunAsync(Stream target, BlockSignature? basis, BlockKey key, WholeHash hash, Stream delta, CancellationToken cancellation)
    {
        await using StreamAside aside = new(delta);
        using DeltaWriter writer = new(aside);
        ContentDigest digest = await RunAsync(target, basis, key, hash, writer, aside, cancellation);
        writer.Finish();
        await aside.FinishAsync();
        return digest;
    }

    public static Task<ContentDigest> RunAsync(Stream target, BlockSignature? basis, BlockKey key, WholeHash hash, IOperationSink sink, CancellationToken cancellation) =>
        RunAsync(target, basis, key, hash, sink, null, cancellation);

    /// <summary>A content in memory: the window is all of it.</summary>
    public static BlockSignature? Run(ReadOnlySpan<byte> target, BlockSignature? basis, BlockKey key, Stream delta, bool sign)
    {
        using DeltaWriter writer = new(delta);
        if (basis is { ContentLength: > 0 })
        {
            Encoder encoder = new(basis, key, writer);
            int decided = encoder.Search(target, isLast: true);
            if (encoder.WantsTable)
            {
                encoder.Take(new BlockTable(basis, key));
                encoder.Search(target[decided..], isLast: true);
            }
        }
        else
        {
            writer.Literal(target);
        }
        writer.Finish();
        return sign ? BlockSignature.Of(target, key) : null;
    }

    private static async Task<ContentDigest> RunAsync(
        Stream target, BlockSignature? basis, BlockKey key, WholeHash hash, IOperationSink sink, StreamAside? written, CancellationToken cancellation)
    {
        long expectedLength = target.CanSeek ? Math.Max(0, target.Length - target.Position) : basis?.ContentLength ?? UnknownLength;
        if (basis is not { ContentLength: > 0 })
        {
            await using ContentPass whole = new(target, expectedLength, 0, key, hash);
            while (await whole.FillAsync(cancellation))
            {
                sink.Literal(whole.Window[whole.Start..whole.End]);
                whole.Start = whole.End;
                await HandOverAsync(written);
            }
            return await whole.FinishAsync();
        }
        KnownBlocks known = new(basis, sink);
        Encoder encoder = new(basis, key, known);
        Task<BlockTable> table = BlockTable.MakeAsync(basis, key);
        await using ContentPass pass = new(target, expectedLength, encoder.LookAhead, key, hash, known);
        while (await pass.FillAsync(cancellation))
        {
            await SearchAsync(isLast: false);
            await HandOverAsync(written);
        }
        await SearchAsync(isLast: true);
        return await pass.FinishAsync();

        async ValueTask SearchAsync(bool isLast)
        {
            pass.Start += encoder.Search(pass.Window[pass.Start..pass.End], isLast);
            if (encoder.WantsTable)
            {
                encoder.Take(await table);
                pass.Start += encoder.Search(pass.Window[pass.Start..pass.End], isLast);
            }
        }
    }

    private static ValueTask HandOverAsync(StreamAside? written) => written?.HandOverAsync() ?? ValueTask.CompletedTask;
}
