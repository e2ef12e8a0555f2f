using System.Globalization;
using Akka.Actor;
using Akka.Cluster;

namespace Mirror.Leadership.Membership;

/// <summary>
/// Finds out when the cluster has come apart into two that don't know each other: a member started while it was cut off begins a cluster alone, and the
/// actor system never joins two. So members that are missing are asked now and then with whom they are. The smaller side (or, of equals, the one without the
/// first member in order) starts anew, and joins the other. So does, whatever the sizes, a member that the others have let in and that knows none of them: on a busy
/// machine their welcome came after it had stopped waiting and begun a cluster alone, and what it hears of theirs it ignores from then on.
/// And a member that is alone and gets no answer at all from one that demonstrably runs: an association between two actor systems can get stuck, when the older one
/// of the same address goes while the new one comes, so that one side reads nothing any more and neither notices. A new incarnation clears it on both sides.
/// </summary>
internal sealed class IslandActor : ReceiveActor, IWithTimers
{
    public const string Name = "island";
    private const string Question = "with whom?";
    private const string Answer = "with";
    private const int LongestAnswer = 16 * 1024;
    private static readonly TimeSpan AskEvery = TimeSpan.FromSeconds(1);

    private readonly ClusterPlan plan;
    private readonly IslandSettings settings;
    private readonly Action<FreshStart> startAnew;
    private readonly Cluster cluster = Cluster.Get(Context.System);
    private int agreed;
    private long heardAt;
    private bool probing;

    /// <param name="startAnew">Called when this side is to give way.</param>
    public IslandActor(ClusterPlan plan, IslandSettings settings, Action<FreshStart> startAnew)
    {
        this.plan = plan;
        this.settings = settings;
        this.startAnew = startAnew;
        heardAt = settings.Time.GetTimestamp();
        Receive<Tick>(_ => Ask());
        Receive<Probed>(Conclude);
        Receive<string>(text => text == Question, _ => Sender.Tell(Describe()));
        Receive<string>(text => text.Length <= LongestAnswer && text.StartsWith(Answer, StringComparison.Ordinal), Judge);
    }

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart() => Timers.StartPeriodicTimer("ask", new Tick(), AskEvery);

    /// <summary>Names of the members on this side, with the number of each one's incarnation.</summary>
    private IEnumerable<(string Name, string Incarnation)> Together()
    {
        var state = cluster.State;
        return state.Members
            .Where(member => member.Status is MemberStatus.Joining or MemberStatus.WeaklyUp or MemberStatus.Up && !state.Unreachable.Contains(member))
            .Select(member => (plan.NameOf(member.Address) ?? "", member.UniqueAddress.Uid.ToString(CultureInfo.InvariantCulture)))
            .Where(member => member.Item1.Length > 0);
    }

    private string Describe() => string.Join(' ', Together().Select(member => $"{member.Name}:{member.Incarnation}").Prepend(Answer));

    private void Ask()
    {
        var here = Together().Select(member => member.Name).ToHashSet();
        if (!here.Contains(plan.Self.Name))
        {
            return;
        }

        var missing = plan.Order.Where(name => !here.Contains(name)).ToList();
        foreach (var name in missing)
        {
            Context.ActorSelection(new RootActorPath(plan.AddressOf(name)) / "user" / Name).Tell(Question);
        }

        if (here.Count > 1)
        {
            heardAt = settings.Time.GetTimestamp();
        }
        else if (!probing && IsSilent())
        {
            probing = true;
            ProbeAsync(missing).PipeTo(Self);
        }
    }

    private bool IsSilent() => settings.Time.GetElapsedTime(heardAt) >= settings.Silence;

    private async Task<Probed> ProbeAsync(IReadOnlyList<string> names)
    {
        foreach (var name in names)
        {
            if (await settings.Runs(name))
            {
                return new Probed(name);
            }
        }

        return new Probed(null);
    }

    private void Conclude(Probed probed)
    {
        probing = false;
        if (probed.Running is { } name && IsSilent())
        {
            heardAt = settings.Time.GetTimestamp();
            startAnew(new FreshStart([name], $"{name} runs, and nothing was heard of it for {settings.Silence.TotalSeconds:0} s"));
        }
    }

    private void Judge(string text)
    {
        heardAt = settings.Time.GetTimestamp();
        var there = text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(member => member.Split(':')).Where(parts => parts.Length == 2).ToList();
        var here = Together().ToList();
        var mine = cluster.SelfUniqueAddress.Uid.ToString(CultureInfo.InvariantCulture);
        var theyKnowMe = there.Any(parts => parts[0] == plan.Self.Name && parts[1] == mine);
        var theyAreHere = there.Any(parts => here.Contains((parts[0], parts[1])));
        var missedTheirWelcome = theyKnowMe && !there.Any(parts => parts[0] != plan.Self.Name && IsListed(parts[0], parts[1]));
        if (there.Count == 0 || here.Count == 0 || ((theyKnowMe || theyAreHere) && !missedTheirWelcome))
        {
            // One cluster whose members are only just finding each other again.
            agreed = 0;
            return;
        }

        var giveWay = missedTheirWelcome || (there.Count != here.Count ? there.Count > here.Count : First(there.Select(parts => parts[0])) < First(here.Select(member => member.Name)));

        // Twice in a row: what is seen in the middle of a change is not acted on.
        agreed = giveWay ? agreed + 1 : 0;
        if (agreed == 2)
        {
            var others = there.Select(parts => parts[0]).Where(name => name != plan.Self.Name && plan.Config.Members.ContainsKey(name)).ToList();
            startAnew(new FreshStart(others, $"{string.Join(", ", others)} are a cluster of their own, which {plan.Self.Name} joins"));
        }
    }

    /// <summary>Known in this incarnation, in whatever state: also as unreachable, or on its way out.</summary>
    private bool IsListed(string name, string incarnation) => cluster.State.Members.Any(member =>
        plan.NameOf(member.Address) == name && member.UniqueAddress.Uid.ToString(CultureInfo.InvariantCulture) == incarnation);

    private int First(IEnumerable<string> names) => names.Select(name => plan.Order.TakeWhile(other => other != name).Count()).Min();

    private sealed record Tick;

    /// <param name="Running">A member whose process answered a handshake; null when none did.</param>
    private sealed record Probed(string? Running);
}

/// <param name="Others">Members to join.</param>
internal sealed record FreshStart(IReadOnlyList<string> Others, string Reason);

/// <param name="Runs">Whether a member's process answers at its cluster port, found out without the actor system.</param>
/// <param name="Silence">How long a member that is alone hears nothing before it doubts its own ears. Different for each, so that not all start anew at once.</param>
internal sealed record IslandSettings(Func<string, Task<bool>> Runs, TimeSpan Silence, TimeProvider Time);
