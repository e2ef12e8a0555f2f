using Mirror.Node.Consul;

namespace Mirror.Testing.Consul;

// All operations of a transaction, or none.
public sealed partial class StandInServers
{
    internal CommitOutcome Commit(IReadOnlyList<KeyOperation> operations) => Change(() =>
    {
        // Looked at before anything is done, as Consul does: also where the same transaction frees the lock first.
        var delayed = operations.FirstOrDefault(operation => operation.Verb == KeyVerb.Lock && delays.TryGetValue(operation.Key, out var until) && Now < until);
        if (delayed is not null)
        {
            return new CommitOutcome(false, [], $"failed to lock key \"{delayed.Key}\" due to lock delay");
        }

        var drafts = new Dictionary<string, KeyEntry?>(StringComparer.Ordinal);
        var results = new List<KeyEntry>();
        var at = index + 1;
        foreach (var operation in operations)
        {
            var entry = drafts.TryGetValue(operation.Key, out var draft) ? draft : keys.GetValueOrDefault(operation.Key);
            if (Refusal_NeedsGate(operation, entry) is { } why)
            {
                return new CommitOutcome(false, [], why);
            }

            var next = operation.Verb == KeyVerb.Delete ? null : Done(operation, entry, at);
            drafts[operation.Key] = next;
            if (next is not null)
            {
                results.Add(next);
            }
        }

        foreach (var (key, entry) in drafts)
        {
            if (entry is not null)
            {
                keys[key] = entry;
            }
            else if (keys.Remove(key))
            {
                keysGoneAt = at;
            }
        }

        index = at;
        return new CommitOutcome(true, [.. results.Select(static entry => entry with { Value = [] })], "");
    });

    private string? Refusal_NeedsGate(KeyOperation operation, KeyEntry? entry) => operation.Verb switch
    {
        KeyVerb.Cas when (entry?.ModifyIndex ?? 0) != operation.Index => $"failed to set key \"{operation.Key}\", index is stale",
        KeyVerb.CheckIndex when entry is null => $"key \"{operation.Key}\" doesn't exist",
        KeyVerb.CheckIndex when entry.ModifyIndex != operation.Index => $"current modify index {entry.ModifyIndex} != {operation.Index}",
        KeyVerb.CheckSession when entry?.Session != operation.Session => $"lock on key \"{operation.Key}\" is not held by session \"{operation.Session}\"",
        KeyVerb.Lock when !sessions.ContainsKey(operation.Session!) => $"invalid session \"{operation.Session}\"",
        KeyVerb.Lock when entry?.Session is { } holder && holder != operation.Session => $"failed to lock key \"{operation.Key}\", lock is already held",
        KeyVerb.Unlock when entry?.Session is null || entry.Session != operation.Session => $"failed to unlock key \"{operation.Key}\", lock isn't held, or is held by another session",
        _ => null,
    };

    private static KeyEntry Done(KeyOperation operation, KeyEntry? entry, ulong at)
    {
        var known = entry ?? new KeyEntry(operation.Key, [], null, 0, 0);
        return operation.Verb switch
        {
            KeyVerb.Cas => known with { Value = operation.Value ?? [], ModifyIndex = at },
            KeyVerb.Lock => known with
            {
                Value = operation.Value ?? [], Session = operation.Session, LockIndex = known.Session == operation.Session ? known.LockIndex : known.LockIndex + 1, ModifyIndex = at,
            },
            KeyVerb.Unlock => known with { Value = operation.Value ?? [], Session = null, ModifyIndex = at },
            _ => known,
        };
    }
}
