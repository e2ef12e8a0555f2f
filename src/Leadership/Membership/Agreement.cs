using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;

namespace Mirror.Leadership.Membership;

/// <summary>
/// What this member knows of the others' configurations, and of processes that bear its own name. Most differences are only said: the file is changed on one member after the other. Two keep this member from standing for a
/// site, until they are gone: another process that bears its name and was there before, since votes take the two for one; and a member that decides by votes where this one decides by locks, or by another lock, since each could
/// appoint a primary. (Voters and leases that differ are refused by the votes themselves.)
/// </summary>
public sealed class Agreement
{
    private const int MostWords = 10_000;
    private const int LongestWord = 1_000;

    private readonly string self;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly Lock guard = new();
    private readonly Dictionary<string, (IReadOnlyList<ConfigDifference> Differences, long HeardAt)> others = [];
    private readonly TaskCompletionSource heard = NewSignal();
    private TaskCompletionSource changed = NewSignal();
    private string? namesake;

    public Agreement(MirrorConfig config, string self, TimeProvider time, ILogger log)
    {
        this.self = self;
        this.time = time;
        this.log = log;
        Words = SharedWords.Of(config);
        Instance = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))).ToString(CultureInfo.InvariantCulture);
    }

    public IReadOnlyDictionary<string, string> Words { get; }

    /// <summary>Of this process.</summary>
    public string Instance { get; }

    /// <summary>Members that were heard of lately and differ, with what differs.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<ConfigDifference>> Differing
    {
        get
        {
            lock (guard)
            {
                return others.Where(other => other.Value.Differences.Count > 0).ToDictionary(other => other.Key, other => other.Value.Differences);
            }
        }
    }

    /// <summary>Completes when all who could answer were asked once.</summary>
    public Task Heard => heard.Task;

    /// <summary>Completes when the next thing changes.</summary>
    public Task Changed
    {
        get
        {
            lock (guard)
            {
                return changed.Task;
            }
        }
    }

    /// <summary>Why this member does not stand for a site; null when nothing is against it.</summary>
    public string? Objection(string site)
    {
        lock (guard)
        {
            if (namesake is not null)
            {
                return $"{namesake} This one takes no part. Give each its own name and certificate, or stop one.";
            }

            var key = SharedWords.ArbiterKey(site);
            foreach (var (member, (differences, _)) in others.OrderBy(other => other.Key, StringComparer.Ordinal))
            {
                if (differences.FirstOrDefault(found => found.Key == key && found is { Mine: not null, Theirs: not null }) is { } other)
                {
                    return $"{other.Sentence(self, member)}: each could appoint a primary, so {self} does not stand. Give all members the same configuration.";
                }
            }

            return null;
        }
    }

    internal void Hear(string member, IReadOnlyDictionary<string, string> words)
    {
        if (words.Count > MostWords || words.Any(word => word.Key.Length > LongestWord || word.Value.Length > LongestWord))
        {
            return;
        }

        var differences = SharedWords.Compare(Words, words);
        lock (guard)
        {
            var known = others.GetValueOrDefault(member).Differences ?? [];
            others[member] = (differences, time.GetTimestamp());
            if (differences.SequenceEqual(known))
            {
                return;
            }

            Signal_NeedsLock();
        }

        if (differences.Count == 0)
        {
            Log.Agrees(log, member);
        }

        foreach (var difference in differences)
        {
            Log.Differs(log, difference.Sentence(self, member));
        }
    }

    /// <param name="sentence">Who and where; null: there is none any more.</param>
    internal void HearNamesake(string? sentence)
    {
        lock (guard)
        {
            if (namesake == sentence)
            {
                return;
            }

            namesake = sentence;
            Signal_NeedsLock();
        }

        if (sentence is not null)
        {
            Log.Namesake(log, sentence, "This one takes no part.");
        }
    }

    /// <summary>Somebody else came in this member's name: refused, and told of.</summary>
    internal void Refuse(string where) => Log.Namesake(log, $"Another process bears the name {self}, and asked from {where}.", "It was there later: it is told so, and is to take no part.");

    /// <summary>Everybody was asked: who was not heard for so long counts no more.</summary>
    internal void EndRound(TimeSpan forgetAfter)
    {
        heard.TrySetResult();
        lock (guard)
        {
            foreach (var gone in others.Where(other => time.GetElapsedTime(other.Value.HeardAt) > forgetAfter).Select(other => other.Key).ToList())
            {
                others.Remove(gone);
                Signal_NeedsLock();
            }
        }
    }

    private void Signal_NeedsLock()
    {
        var signal = changed;
        changed = NewSignal();
        signal.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
