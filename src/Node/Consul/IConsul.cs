namespace Mirror.Node.Consul;

/// <summary>
/// What Mirror asks of Consul: one agent, by its HTTP API. Nothing is asked again behind the caller's back where a second time could do something else; reading, renewing and registering are.
/// </summary>
/// <remarks>Every method throws <see cref="ConsulException"/> when the agent does not answer, or answers with a fault; and <see cref="OperationCanceledException"/> when cancelled.</remarks>
public interface IConsul
{
    /// <summary>What a key holds now: the leader has made sure that it still leads before it answers. Stale answers are of no use to whoever must know whether a lock is its own.</summary>
    Task<KeyReading> ReadKeyAsync(string key, CancellationToken cancellation);

    /// <summary>Waits until a key is another than at <paramref name="after"/>, or that long. A return proves no change.</summary>
    /// <param name="after">Index of the reading before (<see cref="ConsulIndex.Next"/>); 0: answer at once.</param>
    Task<KeyReading> WatchKeyAsync(string key, ulong after, TimeSpan atMost, CancellationToken cancellation);

    /// <summary>All of the operations, or none, in their order. When it throws the outcome is unknown: read.</summary>
    Task<CommitOutcome> CommitAsync(IReadOnlyList<KeyOperation> operations, CancellationToken cancellation);

    /// <returns>Id of the session.</returns>
    Task<string> OpenSessionAsync(SessionAsk ask, CancellationToken cancellation);

    /// <returns>False when there is no such session any more.</returns>
    Task<bool> RenewSessionAsync(string session, CancellationToken cancellation);

    /// <summary>Locks it still holds are freed, and kept from everybody for their delay.</summary>
    Task CloseSessionAsync(string session, CancellationToken cancellation);

    /// <summary>Registers a service at the agent, with a check of the same id; or changes what is registered.</summary>
    Task RegisterAsync(ServiceAsk service, CancellationToken cancellation);

    Task DeregisterAsync(string service, CancellationToken cancellation);

    /// <summary>Says how a service is; unless said again within the check's time, it is taken to be critical.</summary>
    Task ReportAsync(string service, ServiceHealth health, string note, CancellationToken cancellation);

    /// <summary>The instances of a service with their health; waits like <see cref="WatchKeyAsync"/>.</summary>
    Task<ServiceReading> WatchServiceAsync(string name, ulong after, TimeSpan atMost, CancellationToken cancellation);
}

/// <param name="Entry">Null when there is no such key.</param>
/// <param name="Index">Of the answer, for the next <see cref="IConsul.WatchKeyAsync"/>.</param>
public sealed record KeyReading(KeyEntry? Entry, ulong Index);

/// <param name="Session">Who holds its lock; null: nobody.</param>
/// <param name="LockIndex">How often the lock was taken.</param>
/// <param name="ModifyIndex">Another after every change, of the lock too.</param>
public sealed record KeyEntry(string Key, byte[] Value, string? Session, ulong LockIndex, ulong ModifyIndex);

public enum KeyVerb
{
    /// <summary>Sets the value if the key is still at <see cref="KeyOperation.Index"/>; 0: if there is none. Whose lock it is stays as it is.</summary>
    Cas,

    /// <summary>Fails all unless the key is still at <see cref="KeyOperation.Index"/>.</summary>
    CheckIndex,

    /// <summary>Fails all unless the session holds the lock.</summary>
    CheckSession,

    /// <summary>Takes the lock and sets the value.</summary>
    Lock,

    /// <summary>Sets the value and frees the lock, without a delay for whoever comes next.</summary>
    Unlock,

    Delete,
}

public sealed record KeyOperation(KeyVerb Verb, string Key)
{
    public byte[]? Value { get; init; }

    public ulong Index { get; init; }

    public string? Session { get; init; }
}

/// <param name="Committed">False: nothing was done, and <paramref name="Why"/> says why.</param>
/// <param name="Entries">What the operations left, without values; of those that leave anything.</param>
public sealed record CommitOutcome(bool Committed, IReadOnlyList<KeyEntry> Entries, string Why);

/// <param name="TimeToLive">At least 10 s. Consul ends a session that is not renewed after one to two of these.</param>
/// <param name="LockDelay">How long nobody gets a lock that the session lost; at most 60 s.</param>
/// <param name="Service">Whose check it hangs on: with it critical or gone, the session ends.</param>
public sealed record SessionAsk(string Name, TimeSpan TimeToLive, TimeSpan LockDelay, string Service);

public enum ServiceHealth
{
    Passing,
    Warning,
    Critical,
}

/// <param name="Id">Unique at the agent; its check is called <c>service:ID</c>.</param>
/// <param name="Address">Empty: that of the agent's node.</param>
/// <param name="TimeToLive">How long a report counts.</param>
public sealed record ServiceAsk(
    string Id, string Name, IReadOnlyList<string> Tags, string Address, int Port, IReadOnlyDictionary<string, string> Meta, TimeSpan TimeToLive, ServiceHealth Health)
{
    /// <summary>Forgotten by Consul when critical for so long. At least 1 min.</summary>
    public static readonly TimeSpan ForgottenAfter = TimeSpan.FromHours(72);
}

/// <param name="Address">That of the service; of its node when it has none of its own.</param>
public sealed record ServiceInstance(string Id, string Name, IReadOnlyList<string> Tags, string Address, int Port, IReadOnlyDictionary<string, string> Meta, ServiceHealth Health);

public sealed record ServiceReading(IReadOnlyList<ServiceInstance> Instances, ulong Index);

/// <summary>The rules for indexes of waiting questions.</summary>
public static class ConsulIndex
{
    /// <summary>
    /// The index to wait at after an answer. One that went back (a restored or rebuilt server) says nothing about what lies between, so it is begun anew at 0; and 0 itself, which would be
    /// answered at once for ever, is never waited at.
    /// </summary>
    public static ulong Next(ulong before, ulong answered) => answered < before ? 0 : Math.Max(answered, 1);
}

public enum ConsulFault
{
    /// <summary>Nobody answered, or not in time.</summary>
    Silent,

    /// <summary>The token, or its absence, does not allow it.</summary>
    Denied,

    /// <summary>The agent said that it could not.</summary>
    Failed,
}

/// <summary>Consul did not do what it was asked. The message never holds a token.</summary>
public sealed class ConsulException(ConsulFault fault, string message, Exception? cause = null) : Exception(message, cause)
{
    public ConsulFault Fault { get; } = fault;
}
