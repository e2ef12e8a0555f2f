using Google.Protobuf;
using Grpc.Core;
using Mirror.Node.Wire;
using Mirror.Replica.Receive;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;
using Wire = Mirror.Node.Wire;

namespace Mirror.Fuzz.Parsers;

/// <summary>
/// What a primary sends down a replica's stream: messages, a length of two bytes before each. No wire between; what comes out of gRPC's own decoder goes straight to the receiver.
/// </summary>
internal abstract class StreamParser(string name, params Type[] refusals) : Parser(name, refusals)
{
    public override int MaxLength => 48 << 10;

    // The pack's reader, and a file's buffers.
    public override (long Fixed, int PerByte) Allocation => (16 << 20, 512);

    protected static byte[] Joined(params IMessage[] messages) =>
        [.. messages.Select(static message => message.ToByteArray()).SelectMany(static bytes => (byte[])[(byte)bytes.Length, (byte)(bytes.Length >> 8), .. bytes])];

    protected int Receive<T>(byte[] input, MessageParser<T> parser, Func<Receiver, Inbox, FakePrimary<T>, Task> receive)
        where T : class, IMessage<T>
    {
        var outside = Scratch().Directory;
        var directory = Path.Combine(outside, "inbox");
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }

        var head = PackForge.Version with { Id = PackForge.From, Parent = default, Root = PackForge.Start.Root };
        var inbox = new Inbox(directory, head);
        var primary = new FakePrimary<T>(input, parser);
        var received = 0;
        try
        {
            receive(new Receiver("wiki", "beta", primary, 1, inbox, () => received++, TimeProvider.System), inbox, primary).GetAwaiter().GetResult();
        }
        finally
        {
            foreach (var file in Directory.GetFiles(outside, "*", SearchOption.AllDirectories))
            {
                Promise(file.StartsWith(directory, StringComparison.Ordinal), $"{file} was written outside the inbox");
                Promise(new FileInfo(file).Length <= input.Length, $"{file} is longer than all that was sent");
            }

            // What was called stored is a whole pack that leads on, also after a restart.
            var stored = inbox.Stored;
            Promise(received > 0 || stored.Id == PackForge.From, "a version is stored that was never received");
            Promise(new Inbox(directory, head).Stored == stored || received > 1, "after a restart another version is stored");
        }

        return HashCode.Combine(received, inbox.Stored.Id == PackForge.From);
    }

    /// <summary>The messages as far as they are some, all changed by the time the last one was looked at.</summary>
    protected static byte[] Rewritten<T>(byte[] input, MessageParser<T> parser, Action<T> look)
        where T : class, IMessage<T>
    {
        var messages = new List<IMessage>();
        var at = 0;
        while (at + 2 <= input.Length)
        {
            var length = Math.Min(input[at] | (input[at + 1] << 8), input.Length - at - 2);
            try
            {
                var message = parser.ParseFrom(input, at + 2, length);
                messages.Add(message);
                look(message);
            }
            catch (InvalidProtocolBufferException)
            {
                break;
            }

            at += 2 + length;
        }

        return [.. Joined([.. messages]), .. input.AsSpan(at)];
    }

    /// <summary>Makes a pack's frames right where it lies, in pieces.</summary>
    protected static byte[] MendPack<T>(List<T> parts, Func<T, ByteString> bytesOf, Action<T, ByteString> change)
    {
        var pack = PackForge.Mended([.. parts.SelectMany(bytesOf)]);
        var at = 0;
        foreach (var part in parts)
        {
            var length = bytesOf(part).Length;
            change(part, ByteString.CopyFrom(pack, at, length));
            at += length;
        }

        return pack;
    }

    /// <summary>A primary that sends what it is given.</summary>
    internal sealed class FakePrimary<T>(byte[] input, MessageParser<T> parser) : Replication.ReplicationClient, IAsyncStreamReader<T>, IClientStreamWriter<FillRequest>
        where T : class, IMessage<T>
    {
        private int at;

        public T Current { get; private set; } = null!;

        public WriteOptions? WriteOptions { get; set; }

        public override AsyncServerStreamingCall<FollowFrame> Follow(FollowRequest request, Metadata headers, DateTime? deadline, CancellationToken cancellationToken) =>
            new((IAsyncStreamReader<FollowFrame>)(object)this, Task.FromResult<Metadata>([]), static () => Status.DefaultSuccess, static () => [], static () => { });

        public override AsyncDuplexStreamingCall<FillRequest, Wire.PackBytes> Fill(Metadata headers, DateTime? deadline, CancellationToken cancellationToken) =>
            new(this, (IAsyncStreamReader<Wire.PackBytes>)(object)this, Task.FromResult<Metadata>([]), static () => Status.DefaultSuccess, static () => [], static () => { });

        public Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            if (at + 2 > input.Length)
            {
                return Task.FromResult(false);
            }

            var length = Math.Min(input[at] | (input[at + 1] << 8), input.Length - at - 2);
            try
            {
                Current = parser.ParseFrom(input, at + 2, length);
            }
            catch (InvalidProtocolBufferException malformed)
            {
                // As gRPC reports it.
                throw new RpcException(new Status(StatusCode.Internal, malformed.Message));
            }

            at += 2 + length;
            return Task.FromResult(true);
        }

        public Task WriteAsync(FillRequest message) => Task.CompletedTask;

        public Task CompleteAsync() => Task.CompletedTask;
    }
}

/// <summary>Packs one after another, as they are made.</summary>
internal sealed class FollowParser() : StreamParser("follow", typeof(InvalidDataException), typeof(PackFormatException), typeof(RpcException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } = [Sample(false, 3000), Sample(true, 50_000), Joined(new FollowFrame { Epoch = 1, Idle = new Idle() }, new FollowFrame { Epoch = 2, Refill = new Refill { Reason = "why" } })];

    /// <summary>The frames of the packs, and the digest at the end of each, are made right for what was sent.</summary>
    public override byte[] Mended(byte[] input)
    {
        List<FollowFrame> data = [];
        return Rewritten(input, FollowFrame.Parser, frame =>
        {
            if (frame.BodyCase == FollowFrame.BodyOneofCase.Data)
            {
                data.Add(frame);
            }
            else if (frame.BodyCase == FollowFrame.BodyOneofCase.Ends)
            {
                var pack = MendPack(data, static part => part.Data, static (part, bytes) => part.Data = bytes);
                frame.Ends.Sha256 = ByteString.CopyFrom(System.Security.Cryptography.SHA256.HashData(pack));
                data.Clear();
            }
        });
    }

    public override int Read(byte[] input) => Receive(input, FollowFrame.Parser, static (receiver, _, _) => receiver.FollowAsync(CancellationToken.None));

    private static byte[] Sample(bool fromNothing, int piece)
    {
        var pack = PackForge.Written(fromNothing);
        var from = fromNothing ? default : PackForge.From;
        List<IMessage> frames =
        [
            new FollowFrame { Epoch = 1, Begins = new PackBegins { From = Position(from), To = Position(PackForge.To), Length = (ulong)pack.Length } },
            .. pack.Chunk(piece).Select(static bytes => new FollowFrame { Epoch = 1, Data = ByteString.CopyFrom(bytes) }),
            new FollowFrame { Epoch = 1, Ends = new PackEnds { Sha256 = ByteString.CopyFrom(System.Security.Cryptography.SHA256.HashData(pack)) } },
        ];
        return Joined([.. frames]);
    }

    private static VersionPosition Position(VersionId id) => new() { Epoch = id.Epoch, Sequence = id.Sequence };
}

/// <summary>One pack from nothing.</summary>
internal sealed class FillParser() : StreamParser("fill", typeof(InvalidDataException), typeof(PackFormatException), typeof(RpcException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } = [Sample(3000), Sample(50_000)];

    public override byte[] Mended(byte[] input)
    {
        List<Wire.PackBytes> parts = [];
        _ = Rewritten(input, Wire.PackBytes.Parser, parts.Add);
        _ = MendPack(parts, static part => part.Data, static (part, bytes) => part.Data = bytes);
        return Joined([.. parts]);
    }

    public override int Read(byte[] input) => Receive(input, Wire.PackBytes.Parser, static (receiver, _, _) => receiver.FillAsync(PackForge.Start, CancellationToken.None));

    private static byte[] Sample(int piece)
    {
        var pack = PackForge.Written(fromNothing: true);
        return Joined([new Wire.PackBytes { Epoch = 1, Length = (ulong)pack.Length }, .. pack.Chunk(piece).Select(static bytes => new Wire.PackBytes { Epoch = 1, Data = ByteString.CopyFrom(bytes) })]);
    }
}
