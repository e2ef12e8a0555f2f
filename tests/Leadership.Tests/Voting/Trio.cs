using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;

namespace Mirror.Leadership.Tests.Voting;

/// <summary>Three members a, b, c with real voters on disk and real clocks, and lines between them that a test can cut.</summary>
internal sealed class Trio : IDisposable
{
    public static readonly SiteRules Rules = new("wiki", "a", ["a", "b", "c"], ["a", "b", "c"], true, TimeSpan.FromSeconds(1));

    private readonly Scratch scratch = new();
    private readonly Dictionary<string, SiteVoter> voters = [];
    private readonly HashSet<(string From, string To)> cut = [];
    private readonly HashSet<string> silent = [];
    private readonly SiteRules rules;

    public Trio(SiteRules? rules = null)
    {
        this.rules = rules ?? Rules;
        foreach (var name in this.rules.Voters)
        {
            Restart(name);
        }
    }

    public HandCatalogue Catalogue { get; } = new();

    public Dictionary<string, Position> Verified { get; } = new() { ["a"] = new(0, 0), ["b"] = new(0, 0), ["c"] = new(0, 0) };

    public IEpochGate Gate(string name) => new EpochGate(scratch.At($"{name}/epochs"));

    public SiteVoter Voter(string name) => voters[name];

    public void Restart(string name) =>
        voters[name] = new(rules, scratch.At($"{name}/votes/wiki"), () => Verified.GetValueOrDefault(name), TimeProvider.System, NullLogger.Instance);

    /// <summary>Nobody reaches it and it reaches nobody; requests fail at once, as with a closed port.</summary>
    public void Isolate(string name)
    {
        lock (cut)
        {
            foreach (var other in rules.Voters.Where(other => other != name))
            {
                cut.Add((name, other));
                cut.Add((other, name));
            }
        }
    }

    /// <summary>Requests to it are never answered, as with a machine that is off.</summary>
    public void Silence(string name) => silent.Add(name);

    public void Heal()
    {
        lock (cut)
        {
            cut.Clear();
        }
    }

    public Election Of(string name) => new(
        rules, name, voters.GetValueOrDefault(name), [.. rules.Voters.Select(voter => new Line(this, name, voter))], Catalogue, Gate(name), TimeProvider.System, NullLogger.Instance);

    public Task<Lease> WinAsync(string name, CancellationToken cancellation, List<string>? said = null) =>
        Of(name).WinAsync(() => Verified[name], sentence => said?.Add(sentence), cancellation);

    public void Dispose() => scratch.Dispose();

    private sealed class Line(Trio trio, string from, string to) : IVoterLink
    {
        public string Voter => to;

        public async Task<VoterReply> AskAsync(GrantAsk ask, bool probe, CancellationToken cancellation)
        {
            if (trio.silent.Contains(to))
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                return new(to, null, "not in time");
            }

            return IsCut ? new(to, null, "cut") : await new LocalVoter(to, trio.voters[to]).AskAsync(ask, probe, cancellation);
        }

        public async Task<ReturnAnswer> GiveBackAsync(ulong epoch, string holder, string? successor, CancellationToken cancellation) =>
            IsCut || trio.silent.Contains(to) ? new(false, "cut") : await new LocalVoter(to, trio.voters[to]).GiveBackAsync(epoch, holder, successor, cancellation);

        private bool IsCut
        {
            get
            {
                lock (trio.cut)
                {
                    return trio.cut.Contains((from, to));
                }
            }
        }
    }
}
