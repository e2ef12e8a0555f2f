using System.Buffers;
using System.Net;

namespace Mirror.Proxy.Forwarding;

/// <summary>
/// Fetches the beginning of an answer before the client sees any of it. While no byte has gone out, an app that dies
/// in mid-answer costs the reader nothing: the request is sent again. Small answers fit whole; of large and slow ones only
/// the beginning is held back, and only for a moment, so that streams stream.
/// </summary>
internal static class EarlyBody
{
    private const int Most = 64 * 1024;
    private static readonly TimeSpan WaitWhenSmall = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan WaitWhenUnknown = TimeSpan.FromMilliseconds(50);

    /// <returns>The body, when all of it came; null when there is none, or when the rest of it has to be copied from the response.</returns>
    /// <exception cref="IOException">The app broke off.</exception>
    /// <exception cref="HttpRequestException">The app broke off.</exception>
    public static async ValueTask<WholeBody?> FetchAsync(HttpResponseMessage response, TimeProvider time, CancellationToken cancellation)
    {
        var length = response.Content.Headers.ContentLength;
        if (response.StatusCode == HttpStatusCode.SwitchingProtocols || length is 0 or > Most
            || response.RequestMessage?.Method == HttpMethod.Head
            || response.Content.Headers.ContentType?.MediaType == "text/event-stream")
        {
            return null;
        }

        var body = await response.Content.ReadAsStreamAsync(cancellation);
        var size = (int)(length ?? Most);
        var buffer = ArrayPool<byte>.Shared.Rent(size);
        var filled = 0;
        var whole = false;
        Task<int>? pending = null;
        Task? patience = null;
        while (filled < size && !whole)
        {
            var reading = body.ReadAsync(buffer.AsMemory(filled, size - filled), cancellation);
            if (!reading.IsCompleted)
            {
                pending = reading.AsTask();
                patience ??= Task.Delay(length is null ? WaitWhenUnknown : WaitWhenSmall, time, cancellation);
                if (await Task.WhenAny(pending, patience) == patience && !pending.IsCompleted)
                {
                    break;
                }
            }

            // When this fails the buffer is left to the collector: the rented one is given back only when nothing can write to it any more.
            var count = await (pending is null ? reading : new ValueTask<int>(pending));
            pending = null;
            whole = count == 0;
            filled += count;
        }

        // Trailers, which may follow a body in chunks, are the forwarder's to copy.
        if (pending is null && (length is not null || (whole && response.TrailingHeaders.NonValidated.Count == 0)))
        {
            return new WholeBody(buffer, filled);
        }

        var early = new StreamContent(new EarlyStream(buffer, filled, pending, body));
        foreach (var header in response.Content.Headers.NonValidated)
        {
            early.Headers.TryAddWithoutValidation(header.Key, header.Value);
        }

        response.Content = early;
        return null;
    }

    /// <summary>Give it back when it has been written.</summary>
    public sealed class WholeBody(byte[] buffer, int length) : IDisposable
    {
        public ReadOnlySpan<byte> Bytes => buffer.AsSpan(0, length);

        public void Dispose() => ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>What was fetched, then what a read still under way brings, then the rest.</summary>
    private sealed class EarlyStream(byte[] buffer, int filled, Task<int>? pending, Stream rest) : Stream
    {
        private int _given;
        private int _filled = filled;
        private Task<int>? _pending = pending;
        private bool _disposed;

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
            if (_given == _filled && _pending is { } late)
            {
                // It reads into the buffer just behind what was fetched.
                _filled += await late.WaitAsync(cancellationToken);
                _pending = null;
                if (_given == _filled)
                {
                    return 0;
                }
            }

            if (_given < _filled)
            {
                var count = Math.Min(destination.Length, _filled - _given);
                buffer.AsMemory(_given, count).CopyTo(destination);
                _given += count;
                return count;
            }

            return await rest.ReadAsync(destination, cancellationToken);
        }

        public override Task<int> ReadAsync(byte[] destination, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(destination.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] destination, int offset, int count) => throw new NotSupportedException("Reads here are asynchronous.");

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] source, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing && !_disposed)
            {
                _disposed = true;
                if (_pending is null)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                }

                rest.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
