using Grpc.Net.Client;

namespace Mirror.Node.Channels;

/// <summary>
/// A way to one member for small questions whose answers cannot wait. Nothing else goes over it, so nothing large is before them. And when a question is not answered in time, the next goes over a
/// new connection: TCP repeats what was lost after ever longer pauses, so over the old one a line that is whole again stays silent for about as long as it was cut.
/// </summary>
public sealed class QuestionChannel(Func<GrpcChannel> open, TimeProvider time) : IDisposable
{
    private readonly Lock gate = new();
    private GrpcChannel? channel;
    private long opened;

    public GrpcChannel Current
    {
        get
        {
            lock (gate)
            {
                if (channel is null)
                {
                    channel = open();
                    opened = time.GetTimestamp();
                }

                return channel;
            }
        }
    }

    /// <summary>What was asked over this channel was not answered in time.</summary>
    /// <param name="after">A connection that is younger is still being made, perhaps, and is left the time.</param>
    public void Unanswered(GrpcChannel over, TimeSpan after)
    {
        lock (gate)
        {
            if (channel != over || time.GetElapsedTime(opened) < after)
            {
                return;
            }

            channel = null;
        }

        over.Dispose();
    }

    public void Dispose()
    {
        lock (gate)
        {
            channel?.Dispose();
            channel = null;
        }
    }
}
