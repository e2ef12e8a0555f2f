using Mirror.Node.Consul;

namespace Mirror.Testing.Consul;

/// <summary>
/// An agent of the stand-in as a node asks it: directly, without a wire between, so that it serves under a clock of the test's own. It can be made silent, slow or faulty.
/// </summary>
public sealed class StandInAgent(StandInServers servers, string name, TimeProvider time) : IConsul
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(3);

    public StandInServers Servers => servers;

    public string Name => name;

    /// <summary>Questions are not heard, as on the far side of a cut line.</summary>
    public bool IsSilent { get; set; }

    /// <summary>Questions are heard and done; the answers are lost.</summary>
    public bool LosesAnswers { get; set; }

    /// <summary>So many questions to come are answered with a fault.</summary>
    public int FailNext { get; set; }

    /// <summary>How late every answer is.</summary>
    public TimeSpan Slow { get; set; }

    /// <summary>It starts anew and has kept nothing.</summary>
    public void Forget() => servers.Forget(name);

    public Task<KeyReading> ReadKeyAsync(string key, CancellationToken cancellation) => AskAsync(() => servers.Read(key), cancellation);

    public Task<KeyReading> WatchKeyAsync(string key, ulong after, TimeSpan atMost, CancellationToken cancellation) =>
        WaitAsync(() => servers.Read(key), static reading => reading.Index, after, atMost, cancellation);

    public Task<CommitOutcome> CommitAsync(IReadOnlyList<KeyOperation> operations, CancellationToken cancellation) => AskAsync(() => servers.Commit(operations), cancellation);

    public Task<string> OpenSessionAsync(SessionAsk ask, CancellationToken cancellation) => AskAsync(() => servers.Open(name, ask), cancellation);

    public Task<bool> RenewSessionAsync(string session, CancellationToken cancellation) => AskAsync(() => servers.Renew(session), cancellation);

    public Task CloseSessionAsync(string session, CancellationToken cancellation) => TellAsync(() => servers.Close(session), cancellation);

    public Task RegisterAsync(ServiceAsk service, CancellationToken cancellation) => TellAsync(() => servers.Register(name, service), cancellation);

    public Task DeregisterAsync(string service, CancellationToken cancellation) => TellAsync(() => servers.Deregister(name, service), cancellation);

    public Task ReportAsync(string service, ServiceHealth health, string note, CancellationToken cancellation) =>
        TellAsync(() => servers.Report(name, service, health), cancellation);

    public Task<ServiceReading> WatchServiceAsync(string name, ulong after, TimeSpan atMost, CancellationToken cancellation) =>
        WaitAsync(() => servers.Services(name), static reading => reading.Index, after, atMost, cancellation);

    private Task TellAsync(Action tell, CancellationToken cancellation) => AskAsync<object?>(
        () =>
        {
            tell();
            return null;
        },
        cancellation);

    private async Task<T> AskAsync<T>(Func<T> ask, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        await HoldUpAsync(cancellation);
        T answer;
        try
        {
            answer = ask();
        }
        catch (StandInException failure)
        {
            throw new ConsulException(ConsulFault.Failed, failure.Message, failure);
        }

        if (LosesAnswers || IsSilent)
        {
            await NeverAsync(cancellation);
        }

        return answer;
    }

    private async Task<T> WaitAsync<T>(Func<T> read, Func<T, ulong> indexOf, ulong after, TimeSpan atMost, CancellationToken cancellation)
    {
        var until = time.GetElapsedTime(0) + atMost;
        while (true)
        {
            var signal = servers.Changed;
            var answer = await AskAsync(read, cancellation);
            var left = until - time.GetElapsedTime(0);
            if (after == 0 || indexOf(answer) != after || left <= TimeSpan.Zero)
            {
                return answer;
            }

            using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);

            // Rounded up: less than a millisecond is no delay at all.
            await Task.WhenAny(FollowAsync(signal), Task.Delay(TimeSpan.FromMilliseconds(Math.Ceiling(left.TotalMilliseconds)), time, over.Token));
            over.Cancel();
            cancellation.ThrowIfCancellationRequested();
        }
    }

    private async Task HoldUpAsync(CancellationToken cancellation)
    {
        if (IsSilent)
        {
            await NeverAsync(cancellation);
        }

        if (Slow > TimeSpan.Zero)
        {
            await Task.Delay(Slow, time, cancellation);
        }

        if (FailNext > 0)
        {
            FailNext--;
            throw new ConsulException(ConsulFault.Failed, "rpc error making call: No cluster leader");
        }
    }

    private async Task NeverAsync(CancellationToken cancellation)
    {
        await Task.Delay(AnswerWithin, time, cancellation);
        throw new ConsulException(ConsulFault.Silent, $"Consul does not answer within {AnswerWithin.TotalSeconds:0} s.");
    }

    // Awaited in a method of its own, a signal resumes in the context it is waited for in.
    private static async Task FollowAsync(Task signal) => await signal;
}
