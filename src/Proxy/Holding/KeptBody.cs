namespace Mirror.Proxy.Holding;

/// <summary>
/// A request body that can be read again from its beginning: what comes from the client is kept, in memory while it is small and in a file past that, as far as there is room.
/// Reads from the client belong to this object and not to who asked for them, so that a sending which fails in the middle of one loses nothing to the next sending.
/// </summary>
internal sealed class KeptBody(Stream source, BodyRoom room) : IDisposable
{
    private const int Chunk = 16 * 1024;
    private const int MostInMemory = 64 * 1024;

    // More than this of one body is not worth its way through the disk while an app that could take it is there.
    private const long MostWhileSending = 16 * 1024 * 1024;

    private readonly Stream _source = source;
    private readonly Lock _lock = new();
    private readonly byte[] _chunk = new byte[Chunk];
    private MemoryStream? _memory = new();
    private FileStream? _file;
    private byte[] _rest = [];
    private Task? _reading;
    private long _kept;
    private long _taken;
    private bool _ended;
    private bool _passedOn;
    private bool _disposed;

    /// <summary>All that the client sent so far is here: it can be sent again.</summary>
    public bool IsWhole
    {
        get
        {
            lock (_lock)
            {
                return !_passedOn;
            }
        }
    }

    /// <summary>From the beginning.</summary>
    /// <param name="keeps">What is read on the way is kept too.</param>
    public Stream Open(bool keeps)
    {
        lock (_lock)
        {
            return _passedOn ? throw new InvalidOperationException("A part of this body is gone.") : new View(this, keeps);
        }
    }

    /// <summary>Takes in what the client sends until <paramref name="over"/>, until the end, or until there is no more room; then the rest waits where it is.</summary>
    public async Task FetchAsync(Task over)
    {
        while (!over.IsCompleted && More(long.MaxValue) is { } reading)
        {
            await Task.WhenAny(reading, over);
            if (reading.IsFaulted || reading.IsCanceled)
            {
                // Whoever sends the body meets the same failure, and answers for it.
                return;
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _memory = null;
            _file?.Dispose();
            room.Return(_taken);
            _taken = 0;
        }
    }

    /// <returns>The read from the client that is under way, or a new one; null at the end, and when what it brings could not be kept.</returns>
    private Task? More(long most)
    {
        lock (_lock)
        {
            if (_reading is { IsCompletedSuccessfully: false })
            {
                return _reading;
            }

            if (_ended || _passedOn || _disposed || _rest.Length > 0 || _kept + Chunk > most || !room.TryTake(Chunk))
            {
                return null;
            }

            _taken += Chunk;
            return _reading = ReadAsync();
        }
    }

    private async Task ReadAsync()
    {
        // Nothing of this under the caller's lock.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var count = await _source.ReadAsync(_chunk);
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            room.Return(Chunk - count);
            _taken -= Chunk - count;
            _ended = count == 0;
            Keep_NeedsLock(_chunk.AsSpan(0, count));
        }
    }

    private void Keep_NeedsLock(ReadOnlySpan<byte> bytes)
    {
        if (_memory is { } memory && memory.Length + bytes.Length <= MostInMemory)
        {
            memory.Position = memory.Length;
            memory.Write(bytes);
        }
        else
        {
            try
            {
                _file ??= Spill_NeedsLock();
                RandomAccess.Write(_file.SafeFileHandle, bytes, _kept);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // What was taken from the client must not be lost; nothing more is taken.
                room.Failed(exception);
                _rest = bytes.ToArray();
            }
        }

        _kept += bytes.Length;
    }

    private FileStream Spill_NeedsLock()
    {
        var file = room.NewFile();
        RandomAccess.Write(file.SafeFileHandle, _memory!.GetBuffer().AsSpan(0, (int)_memory.Length), 0);
        _memory = null;
        return file;
    }

    /// <returns>Bytes from what is kept; 0 at the end of that.</returns>
    private int Copy(long from, Span<byte> destination)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var count = (int)Math.Min(destination.Length, _kept - from);
            if (count == 0)
            {
                return 0;
            }

            var stored = _kept - _rest.Length;
            if (from >= stored)
            {
                _rest.AsSpan((int)(from - stored), count).CopyTo(destination);
                return count;
            }

            count = (int)Math.Min(count, stored - from);
            if (_file is { } file)
            {
                return RandomAccess.Read(file.SafeFileHandle, destination[..count], from);
            }

            _memory!.Position = from;
            return _memory.Read(destination[..count]);
        }
    }

    /// <returns>False when there is something else to wait for before the rest may be read past this object.</returns>
    private bool TryPassOn(long from, out bool ended)
    {
        lock (_lock)
        {
            ended = _ended && from == _kept;
            if (from != _kept || ended || _reading is { IsCompletedSuccessfully: false })
            {
                return false;
            }

            return _passedOn = true;
        }
    }

    private sealed class View(KeptBody body, bool keeps) : Stream
    {
        private long _position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken = default)
        {
            while (!destination.IsEmpty)
            {
                if (body.Copy(_position, destination.Span) is > 0 and var count)
                {
                    _position += count;
                    return count;
                }

                // A read that holding began is waited for even where nothing more is kept.
                if (body.More(keeps ? MostWhileSending : 0) is { } reading)
                {
                    await reading.WaitAsync(cancellationToken);
                }
                else if (body.TryPassOn(_position, out var ended))
                {
                    return await body._source.ReadAsync(destination, cancellationToken);
                }
                else if (ended)
                {
                    return 0;
                }
            }

            return 0;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Reads here are asynchronous.");

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
