namespace Mirror.Delta;

/// <summary>Tells, while the operations pass through, that they are not those of an equal content: who took it for one learns it long before its end.</summary>
internal sealed class FirstDifference(IOperationSink sink, Action differs) : IOperationSink
{
    private long _position;
    private bool _told;

    public void Copy(long offset, long length)
    {
        TellUnless(offset == _position);
        _position += length;
        sink.Copy(offset, length);
    }

    public void Literal(ReadOnlySpan<byte> bytes)
    {
        TellUnless(bytes.IsEmpty);
        _position += bytes.Length;
        sink.Literal(bytes);
    }

    private void TellUnless(bool same)
    {
        if (!same && !_told)
        {
            _told = true;
            differs();
        }
    }
}
