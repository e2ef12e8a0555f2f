namespace Mirror.Node.Consul;

public enum ReleaseOutcome
{
    /// <summary>The lock is free, and its record says that it was given back.</summary>
    Released,

    /// <summary>The session does not hold it (any more).</summary>
    NotHeld,
}

/// <summary>
/// Gives a lock back: sets the record and frees the lock in one step, and only if nothing has changed since the record was read. So neither a version called consistent meanwhile is forgotten, nor
/// is a write of the holder that was still under way heard afterwards. A lock that is given back has no delay.
/// </summary>
public static class LockRelease
{
    private const int MostAttempts = 5;

    /// <exception cref="ConsulException">The outcome is unknown, or the record cannot be read. It may be asked again.</exception>
    public static async Task<ReleaseOutcome> RunAsync(IConsul consul, string key, string session, string? successor, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            var reading = await consul.ReadKeyAsync(key, cancellation);
            if (reading.Entry is not { } entry || entry.Session != session)
            {
                return ReleaseOutcome.NotHeld;
            }

            var record = LockRecord.Read(entry.Value) ?? throw new ConsulException(ConsulFault.Failed, $"The key {key} holds what Mirror did not write; its lock is left to run out.");
            var outcome = await consul.CommitAsync(
                [
                    new KeyOperation(KeyVerb.CheckIndex, key) { Index = entry.ModifyIndex },
                    new KeyOperation(KeyVerb.Unlock, key) { Session = session, Value = (record with { GivenBack = true, Successor = successor }).Write() },
                ],
                cancellation);
            if (outcome.Committed)
            {
                return ReleaseOutcome.Released;
            }

            if (attempt == MostAttempts)
            {
                throw new ConsulException(ConsulFault.Failed, $"The lock {key} could not be given back: {outcome.Why}");
            }
        }
    }
}
