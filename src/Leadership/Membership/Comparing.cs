using Grpc.Core;
using Microsoft.Extensions.Hosting;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Listening;
using Mirror.Node.Wire;

namespace Mirror.Leadership.Membership;

/// <summary>
/// Tells each member what this one's configuration says, and hears what theirs says, when it starts and every few seconds. Itself too: at the address that is configured for it somebody else may answer in its name.
/// </summary>
internal sealed class Comparing(MirrorConfig config, string self, PeerChannels channels, Agreement agreement, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan every = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan within = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // What this member listens on may not be open yet: whoever starts it must not wait for this.
        await Task.Yield();
        try
        {
            while (true)
            {
                await Task.WhenAll(config.Members.Keys.Select(member => AskAsync(member, stoppingToken)));
                agreement.EndRound(every * 3);
                await Task.Delay(every, time, stoppingToken);
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or RpcException or ObjectDisposedException && stoppingToken.IsCancellationRequested)
        {
            // The member is stopping, and that ends a question in one way or the other.
        }
    }

    private async Task AskAsync(string member, CancellationToken stopping)
    {
        var words = WordsOf(agreement, self);
        try
        {
            var reply = await new Agreeing.AgreeingClient(channels.To(member)).CompareAsync(words, deadline: (time.GetUtcNow() + within).UtcDateTime, cancellationToken: stopping);
            if (member != self)
            {
                agreement.Hear(member, reply.Words);
            }
            else if (reply.Instance != agreement.Instance)
            {
                var place = config.Members[self];
                agreement.HearNamesake($"Another process bears the name {self}, and answers at {place.Address}:{place.GrpcPort}.");
            }
            else
            {
                agreement.HearNamesake(null);
            }
        }
        catch (RpcException) when (!stopping.IsCancellationRequested)
        {
            // Who does not answer says nothing; of another of this name nobody answered, either.
            if (member == self)
            {
                agreement.HearNamesake(null);
            }
        }
    }

    public static ConfigWords WordsOf(Agreement agreement, string self)
    {
        var words = new ConfigWords { Member = self, Instance = agreement.Instance };
        words.Words.Add(agreement.Words.ToDictionary(word => word.Key, word => word.Value));
        return words;
    }
}

/// <summary>The other end of it. Nobody can speak in another's name: the name is the one in the caller's certificate.</summary>
internal sealed class AgreeingService(Agreement agreement, MemberConfig self) : Agreeing.AgreeingBase
{
    public override Task<ConfigWords> Compare(ConfigWords request, ServerCallContext context)
    {
        if (Callers.PeerName(context) is { } caller)
        {
            if (caller != self.Name)
            {
                agreement.Hear(caller, request.Words);
            }
            else if (request.Instance != agreement.Instance)
            {
                agreement.Refuse(context.Peer);
            }
        }

        return Task.FromResult(Comparing.WordsOf(agreement, self.Name));
    }
}
