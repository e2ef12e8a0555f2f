using Mirror.Leadership.Core;

namespace Mirror.Leadership.Tests.Simulation;

/// <summary>
/// A member in one life, from start to death: a voter, and on a node a candidate, a holder and a copy of the site. While it is paused nothing of it runs:
/// messages and timers wait, and when it goes on what came for it is there before it looks at the clock.
/// </summary>
internal sealed partial class Process
{
    private readonly Queue<Action> held = new();
    private readonly Queue<Action> due = new();
    private bool isDead;
    private bool isPaused;

    public Process(Machine machine)
    {
        Machine = machine;
        Guard = new Guard(this);
        vote = Disk.Vote is { } kept ? Book.Restarted(kept, Rules, Now) : Book.Fresh(Rules, Now);
        vote = Book.Reborn(vote, Name, Now);
        gate = Disk.Gate;
        catalogue = new Entry?[World.Machines.Length];
    }

    public Machine Machine { get; }
    public Guard Guard { get; }
    public World World => Machine.World;
    public Rulebook Book => World.Book;

    private SiteRules Rules => World.Rules;
    private Disk Disk => Machine.Disk;
    private string Name => Machine.Name;
    private TimeSpan Now => Machine.Now;
    private Random Random => World.Random;

    public void Begin()
    {
        Gossip();
        if (Machine.IsNode)
        {
            ApplySoon();
            Later(Random.NextDouble() * 0.02, Turn);
            if (!Book.WaitsForItsLease && Disk is { IsLive: true, Head: { } last })
            {
                Guard.Start(last.Id.Epoch, Now + Rules.Lease);
            }
        }
    }

    public void Die() => isDead = true;

    public void Pause() => isPaused = true;

    public void Resume()
    {
        isPaused = false;
        while (!isPaused && (held.TryDequeue(out var waiting) || due.TryDequeue(out waiting)))
        {
            Run(waiting);
        }
    }

    /// <summary>Something from outside.</summary>
    public void Run(Action action) => Run(action, held);

    private void Run(Action action, Queue<Action> whilePaused)
    {
        if (isDead)
        {
            return;
        }

        if (isPaused)
        {
            whilePaused.Enqueue(action);
            return;
        }

        action();
    }

    public override string ToString() =>
        $"{Name}: vote {vote.Epoch} of {vote.Holder}, gate {gate}, head {Disk.Head}, stored {Disk.Stored}{(Disk.IsLive ? ", live" : "")}{(reign is null ? "" : $", reigns in {reign.Epoch}")}, \"{said}\"";

    private void Later(double seconds, Action action) => World.After(seconds, () => Run(action, due));

    private void AtLocal(TimeSpan local, Action action) => Later(Math.Max(0, Machine.TimeOf(local) - World.Time) + 1e-6, action);

    private void Send(string to, Action<Process> arrive) => World.Network.Send(Machine, World.Of(to), arrive);

    private void Answer(Process to, Action arrive) => World.Network.Answer(Machine, to, arrive);
}
