using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Leadership.Core;
using Mirror.Leadership.Voting;

namespace Mirror.Leadership.Tests.Voting;

/// <summary>Three members a, b, c with real voters on disk, and lines between them that a test can cut.</summary>
internal sealed class Trio : IDisposable
{
    private readonly Scratch scratch = new();
    private readonly Dictionary<string, SiteVoter> voters = [];
    private readonly HashSet<(string From, string To)> cut = [];
    private readonly HashSet<string> silent = [];
    private readonly HashSet<string> silentAfterProbes = [];
    private readonly SiteRules rules;

    public Trio(SiteRules rules)
    {
        this.rules = rules;
        foreach (var name in rules.Voters)
        {
            Restart(name);
        }
    }

    public VirtualTime Time { get; } = new();

    public HandCatalogue Catalogue { get; } = new();

    public Dictionary<string, Position> Verified { get; } = new() { ["a"] = default, ["b"] = default, ["c"] = default };

    public IEpochGate Gate(string name) => new EpochGate(scratch.At($"{name}/epochs"));

    public SiteVoter Voter(string name) => voters[name];

    public void Restart(string name) =>
        voters[name] = new(rules, scratch.At($"{name}/votes/wiki"), () => Verified.GetValueOrDefault(name), Time.Clock, NullLogger.Instance);

    /// <summary>Nobody reaches it and it reaches nobody; requests fail at once, as with a closed port.</summary>
    public void Isolate(string name)
    {
        foreach (var other in rules.Voters.Where(other => other != name))
        {
            cut.Add((name, other));
            cut.Add((other, name));
        }
    }

    /// <summary>Requests to it are never answered, as with a machine that is off.</summary>
    public void Silence(string name) => silent.Add(name);

    /// <summary>It answers what it would do, and then nothing any more.</summary>
    public void SilenceAfterProbes(string name) => silentAfterProbes.Add(name);

    public void Heal() => cut.Clear();

    public Election Of(string name) => new(
        rules, name, voters.GetValueOrDefault(name), [.. rules.Voters.Select(voter => new Line(this, name, voter))], Catalogue, Gate(name), Time.Clock, NullLogger.Instance);

    public Operators OperatorsAt(string name) => new(rules, [.. rules.Voters.Select(voter => new Line(this, name, voter))], Time.Clock);

    public Lease Win(string name, List<string>? said = null) => Time.Await(Stand(name, said));

    /// <summary>Begins to stand; goes on while time passes.</summary>
    public Task<Lease> Stand(string name, List<string>? said = null, CancellationToken cancellation = default) =>
        Time.Begin(() => Of(name).WinAsync(() => Verified[name], sentence => said?.Add(sentence), cancellation));

    /// <summary>As when its process is killed.</summary>
    public void Abandon(Lease lease) => Time.Run(() => lease.DisposeAsync().AsTask());

    public void Dispose() => scratch.Dispose();

    private sealed class Line(Trio trio, string from, string to) : IVoterLink
    {
        public string Voter => to;

        private bool IsCut => trio.cut.Contains((from, to));

        public async Task<VoterReply> AskAsync(GrantAsk ask, bool probe, CancellationToken cancellation)
        {
            if (trio.silent.Contains(to) || (!probe && trio.silentAfterProbes.Contains(to)))
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, trio.Time.Clock, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
                return new(to, null, "not in time");
            }

            return IsCut ? new(to, null, "cut") : new(to, trio.voters[to].Ask(ask, probe), null);
        }

        public Task<ReturnAnswer> GiveBackAsync(GiveBack back, CancellationToken cancellation) =>
            Task.FromResult(IsCut || trio.silent.Contains(to) ? new(false, "cut") : trio.voters[to].GiveBack(back));

        public Task<OrderReply> HearAsync(FailoverOrder? order, CancellationToken cancellation) =>
            Task.FromResult(IsCut || trio.silent.Contains(to) ? new(to, false, null, 0, "cut") : trio.voters[to].Answer(to, order));
    }
}
