namespace Mirror.Delta;

/// <summary>Takes a delta's operations in the order of the target.</summary>
internal interface IOperationSink
{
    void Copy(long offset, long length);

    void Literal(ReadOnlySpan<byte> bytes);
}
