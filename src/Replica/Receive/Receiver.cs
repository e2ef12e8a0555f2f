using Google.Protobuf;
using Grpc.Core;
using Mirror.Node.Wire;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Replica.Receive;

/// <summary>Why following ended.</summary>
internal enum FollowOutcome
{
    StreamEnded,
    NeedsFill,
}

/// <summary>One primary's stream, written to the inbox: a pack resumes at its last whole frame, and is named only when its SHA-256 is right.</summary>
internal sealed class Receiver(string site, string node, Replication.ReplicationClient primary, ulong epoch, Inbox inbox, Action received, TimeProvider time)
{
    private const int haveChunk = 8192;

    /// <summary>The primary beats every second; this much silence means the stream is dead.</summary>
    private static readonly TimeSpan silence = TimeSpan.FromSeconds(5);

    public async Task<FollowOutcome> FollowAsync(CancellationToken cancellation)
    {
        var (have, root) = inbox.Stored;
        var (resumeTo, offset) = inbox.Partial();
        var request = new FollowRequest
        {
            Site = site,
            Replica = node,
            Epoch = epoch,
            Have = ToWire(have),
            HaveRoot = have.IsNone ? ByteString.Empty : ByteString.CopyFrom(root.ToArray()),
            ResumeTo = ToWire(resumeTo),
            ResumeOffset = (ulong)offset,
        };
        using var watch = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var call = primary.Follow(request, cancellationToken: watch.Token);
        PartialPack? pack = null;
        try
        {
            while (await NextAsync(call.ResponseStream, watch, cancellation))
            {
                var frame = call.ResponseStream.Current;
                RefuseOlderEpoch(frame.Epoch);
                switch (frame.BodyCase)
                {
                    case FollowFrame.BodyOneofCase.Begins when pack is null:
                        pack = await PartialPack.BeginAsync(inbox.PartOf(ToId(frame.Begins.From), ToId(frame.Begins.To)), frame.Begins, cancellation);
                        break;
                    case FollowFrame.BodyOneofCase.Data when pack is not null:
                        await pack.WriteAsync(frame.Data.Memory, cancellation);
                        break;
                    case FollowFrame.BodyOneofCase.Ends when pack is not null:
                        await pack.EndAsync(frame.Ends.Sha256.Memory, cancellation);
                        inbox.Accept(pack.Path);
                        pack = null;
                        received();
                        break;
                    case FollowFrame.BodyOneofCase.Refill:
                        return FollowOutcome.NeedsFill;
                    case FollowFrame.BodyOneofCase.Idle:
                        break;
                    default:
                        throw new InvalidDataException($"The primary sent a frame that makes no sense here: {frame.BodyCase}.");
                }
            }

            return FollowOutcome.StreamEnded;
        }
        finally
        {
            if (pack is not null)
            {
                await pack.DisposeAsync();
            }
        }
    }

    /// <summary>Asks for one pack from nothing with what is lacking, and accepts it into the inbox.</summary>
    public async Task FillAsync(Manifest atHand, CancellationToken cancellation)
    {
        using var call = primary.Fill(cancellationToken: cancellation);
        await call.RequestStream.WriteAsync(new FillRequest { Site = site, Replica = node, Epoch = epoch }, cancellation);
        foreach (var chunk in atHand.Entries.Where(entry => entry.Type == EntryType.File).Select(entry => entry.Hash).Distinct().Chunk(haveChunk))
        {
            var bytes = new byte[chunk.Length * ContentHash.Length];
            for (var index = 0; index < chunk.Length; index++)
            {
                chunk[index].CopyTo(bytes.AsSpan(index * ContentHash.Length));
            }

            await call.RequestStream.WriteAsync(new FillRequest { Have = UnsafeByteOperations.UnsafeWrap(bytes) }, cancellation);
        }

        await call.RequestStream.CompleteAsync();
        var part = inbox.PartOf(default, default);
        await using (var file = new FileStream(part, FileMode.Create, FileAccess.Write, FileShare.Read, 1 << 16, FileOptions.Asynchronous))
        {
            ulong announced = 0;
            await foreach (var piece in call.ResponseStream.ReadAllAsync(cancellation))
            {
                RefuseOlderEpoch(piece.Epoch);
                announced = piece.Length > 0 ? piece.Length : announced;
                if ((ulong)file.Position + (ulong)piece.Data.Length > announced)
                {
                    throw new InvalidDataException($"The fill is longer than the {announced} bytes it announced.");
                }

                await file.WriteAsync(piece.Data.Memory, cancellation);
            }

            await file.FlushAsync(cancellation);
            if ((ulong)file.Length != announced)
            {
                throw new InvalidDataException($"The fill ended after {file.Length} of {announced} bytes.");
            }

            file.Flush(flushToDisk: true);
        }

        using (var reader = PackReader.Open(part))
        {
            reader.VerifyFrames(cancellation);
        }

        inbox.Accept(part);
        received();
    }

    private void RefuseOlderEpoch(ulong answered)
    {
        if (answered < epoch)
        {
            throw new InvalidDataException($"The primary answered with epoch {answered}; epoch {epoch} is known. Its packs are refused.");
        }
    }

    private async Task<bool> NextAsync(IAsyncStreamReader<FollowFrame> stream, CancellationTokenSource watch, CancellationToken cancellation)
    {
        using var quiet = new CancellationTokenSource(silence, time);
        await using var link = quiet.Token.Register(watch.Cancel);
        try
        {
            return await stream.MoveNext(watch.Token);
        }
        catch (Exception failure) when (quiet.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw new TimeoutException($"The primary sent nothing for {silence.TotalSeconds:F0} s.", failure);
        }
    }

    private static VersionId ToId(VersionPosition? position) => position is null ? default : new VersionId(position.Epoch, position.Sequence);

    private static VersionPosition ToWire(VersionId id) => new() { Epoch = id.Epoch, Sequence = id.Sequence };
}
