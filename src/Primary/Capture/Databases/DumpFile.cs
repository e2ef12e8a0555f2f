namespace Mirror.Primary.Capture.Databases;

/// <summary>
/// One file of a dump as it is made. It is compared with the last dump's on the way and written only from the first byte that differs on (what was equal before that is copied then), so that a
/// table nobody wrote to costs no writing, keeps its inode, and is not read again by the capture.
/// </summary>
internal sealed class DumpFile : IDisposable
{
    private const int BufferSize = 256 << 10;

    private readonly string before;
    private readonly string pending;
    private readonly byte[] comparing = new byte[BufferSize];
    private readonly byte[] buffer = new byte[BufferSize];
    private int buffered;
    private FileStream? old;
    private FileStream? written;

    /// <param name="before">The file as the last dump had it; there may be none.</param>
    /// <param name="pending">Where the new one is written when it differs.</param>
    public DumpFile(string before, string pending)
    {
        this.before = before;
        this.pending = pending;
        old = File.Exists(before) ? new FileStream(before, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0) : null;
        if (old is null)
        {
            written = Create();
        }
    }

    public long Length { get; private set; }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        Length += bytes.Length;
        while (!bytes.IsEmpty)
        {
            var count = Math.Min(bytes.Length, BufferSize - buffered);
            bytes[..count].CopyTo(buffer.AsSpan(buffered));
            buffered += count;
            bytes = bytes[count..];
            if (buffered == BufferSize)
            {
                Flush();
            }
        }
    }

    /// <returns>True when there is a new file at the pending place; false when the old one holds.</returns>
    public bool Complete()
    {
        Flush();
        if (written is null && old!.Length != Length)
        {
            Part(Length);
        }

        var differs = written is not null;
        Dispose();
        return differs;
    }

    public void Dispose()
    {
        old?.Dispose();
        old = null;
        written?.Dispose();
        written = null;
    }

    private void Flush()
    {
        var bytes = buffer.AsSpan(0, buffered);
        buffered = 0;
        if (written is null)
        {
            var at = old!.Position;
            if (old.ReadAtLeast(comparing.AsSpan(0, bytes.Length), bytes.Length, throwOnEndOfStream: false) == bytes.Length && bytes.SequenceEqual(comparing.AsSpan(0, bytes.Length)))
            {
                return;
            }

            Part(at);
        }

        written!.Write(bytes);
    }

    // The ways part: what was equal until here becomes the beginning of a file of its own.
    private void Part(long equal)
    {
        written = Create();
        old!.Position = 0;
        while (written.Length < equal)
        {
            var read = old.Read(comparing, 0, (int)Math.Min(comparing.Length, equal - written.Length));
            if (read == 0)
            {
                throw new IOException($"{before} became shorter while it was read: somebody else writes to the place of dumps.");
            }

            written.Write(comparing, 0, read);
        }

        old.Dispose();
        old = null;
    }

    private FileStream Create() => new(pending, new FileStreamOptions
    {
        Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.Read, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
    });
}
