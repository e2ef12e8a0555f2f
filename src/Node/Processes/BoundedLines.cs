namespace Mirror.Node.Processes;

/// <summary>Cuts a stream into lines of at most <see cref="MaxLength"/> bytes, so that no peer can make the reader take memory without end.</summary>
internal sealed class BoundedLines(Stream stream)
{
    /// <summary>Bytes; what a program and its environment may take, with room to spare.</summary>
    public const int MaxLength = 1 << 20;

    private byte[] _buffer = new byte[4096];
    private int _start;
    private int _end;

    /// <returns>The next line without its end, valid until the next call; null at the end of the stream. A last line that was cut short is dropped.</returns>
    /// <exception cref="InvalidDataException">A line is too long.</exception>
    public ReadOnlyMemory<byte>? Next()
    {
        ReadOnlyMemory<byte> line;
        while (!TryTake(out line))
        {
            var count = stream.Read(_buffer, _end, _buffer.Length - _end);
            if (count == 0)
            {
                return null;
            }

            _end += count;
        }

        return line;
    }

    public async ValueTask<ReadOnlyMemory<byte>?> NextAsync(CancellationToken cancellation)
    {
        ReadOnlyMemory<byte> line;
        while (!TryTake(out line))
        {
            var count = await stream.ReadAsync(_buffer.AsMemory(_end), cancellation);
            if (count == 0)
            {
                return null;
            }

            _end += count;
        }

        return line;
    }

    private bool TryTake(out ReadOnlyMemory<byte> line)
    {
        var length = _buffer.AsSpan(_start, _end - _start).IndexOf((byte)'\n');
        if (length >= 0)
        {
            line = _buffer.AsMemory(_start, length);
            _start += length + 1;
            return true;
        }

        line = default;
        MakeRoom();
        return false;
    }

    private void MakeRoom()
    {
        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
        _end -= _start;
        _start = 0;
        if (_end < _buffer.Length)
        {
            return;
        }

        if (_buffer.Length >= MaxLength)
        {
            throw new InvalidDataException($"A line is longer than {MaxLength} bytes.");
        }

        Array.Resize(ref _buffer, _buffer.Length * 2);
    }
}
