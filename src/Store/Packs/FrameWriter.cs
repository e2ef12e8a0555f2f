namespace Mirror.Store.Packs;

/// <summary>
/// Cuts nothing itself: compresses, encrypts, checksums and writes the frames it is given, one after another, and remembers where each one is. Full frames are compressed
/// on other threads while the caller fills the next; what depends on a frame's place, and the output itself, is only ever touched by the caller's calls, in order.
/// </summary>
internal sealed class FrameWriter(Stream output, PackKey? key) : IAsyncDisposable
{
    /// <summary>Frames on their way at once. Each is about 5 MiB of buffers and compressor, so this bounds a writer's memory; more threads than this the disk would not feed.</summary>
    private static readonly int depth = Math.Clamp(Environment.ProcessorCount, 1, 4);

    private readonly PackPreamble preamble = PackPreamble.New(key);
    private readonly Queue<FrameJob> busy = new(depth);
    private readonly Stack<FrameJob> idle = new(depth);
    private PackCipher? cipher;
    private bool broken;
    private bool disposed;

    /// <summary>Of the frames that are written.</summary>
    public List<FramePlace> Places { get; } = [];

    /// <summary>Where the next frame to be written begins, counted from the start of the pack.</summary>
    public long Offset { get; private set; }

    /// <summary>Takes over a full buffer as a frame, and returns an empty one. Waits only when <see cref="depth"/> frames are on their way.</summary>
    public async ValueTask<byte[]> HandOverAsync(FrameKind kind, byte[] raw, int length, CompressionEffort effort, CancellationToken cancellation)
    {
        RefuseWhenBroken();
        if (busy.Count == depth)
        {
            await WriteOldestAsync(cancellation);
        }

        return Begin(kind, raw, length, effort);
    }

    /// <summary>The same for a caller that cannot await.</summary>
    public byte[] HandOver(FrameKind kind, byte[] raw, int length, CompressionEffort effort)
    {
        RefuseWhenBroken();
        if (busy.Count == depth)
        {
            broken = true;
            busy.Peek().Packing.GetAwaiter().GetResult();
            var packet = busy.Peek().Seal(Offset, preamble, Cipher(), out var place);
            output.Write(packet.Span);
            idle.Push(busy.Dequeue());
            Advance(place);
        }

        return Begin(kind, raw, length, effort);
    }

    /// <summary>Writes a frame behind all those on their way. The bytes are the caller's again afterwards.</summary>
    public async ValueTask WriteAsync(FrameKind kind, ReadOnlyMemory<byte> raw, CompressionEffort effort, CancellationToken cancellation)
    {
        await DrainAsync(cancellation);
        RefuseWhenBroken();
        var job = Idle();
        idle.Push(job);
        job.Pack(kind, raw.Span, effort);
        broken = true;
        await output.WriteAsync(job.Seal(Offset, preamble, Cipher(), out var place), cancellation);
        Advance(place);
    }

    /// <summary>Afterwards all frames are written, and all places known.</summary>
    public async ValueTask DrainAsync(CancellationToken cancellation)
    {
        while (busy.Count > 0)
        {
            RefuseWhenBroken();
            await WriteOldestAsync(cancellation);
        }
    }

    public Task FlushAsync(CancellationToken cancellation) => output.FlushAsync(cancellation);

    public async ValueTask DisposeAsync()
    {
        disposed = true;
        while (busy.TryDequeue(out var job))
        {
            // A pack given up: how its last frames fared matters to nobody, only that no thread is in their buffers any more.
            await job.Packing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            job.Dispose();
        }

        while (idle.TryPop(out var job))
        {
            job.Dispose();
        }

        cipher?.Dispose();
    }

    private async ValueTask WriteOldestAsync(CancellationToken cancellation)
    {
        // The job stays in the queue until it is written: whatever fails here, disposing finds it.
        broken = true;
        await busy.Peek().Packing;
        await output.WriteAsync(busy.Peek().Seal(Offset, preamble, Cipher(), out var place), cancellation);
        idle.Push(busy.Dequeue());
        Advance(place);
    }

    private byte[] Begin(FrameKind kind, byte[] raw, int length, CompressionEffort effort)
    {
        var job = Idle();
        (raw, job.Raw) = (job.Raw, raw);
        busy.Enqueue(job);
        job.Begin(kind, length, effort);
        return raw;
    }

    private FrameJob Idle() => idle.TryPop(out var job) ? job : new FrameJob();

    private PackCipher? Cipher() => key is null ? null : cipher ??= new PackCipher(key, preamble);

    private void RefuseWhenBroken()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (broken)
        {
            throw new InvalidOperationException("An earlier write of this pack failed: what follows would not be found. Write the pack anew.");
        }
    }

    private void Advance(FramePlace place)
    {
        broken = false;
        Places.Add(place);
        Offset = place.End;
    }
}
