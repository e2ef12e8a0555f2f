using Mirror.Leadership.Core;

namespace Mirror.Leadership.Tests.Simulation;

/// <summary>
/// The process beside a node that holds its apps. It goes on while the node is stopped or dead: it stops the app when the lease's deadline has passed on this
/// machine's clock, or when the node has died, and then gives the lease back in the dead node's name.
/// </summary>
internal sealed class Guard(Process node)
{
    private readonly Machine machine = node.Machine;
    private App? app;
    private TimeSpan deadline;
    private bool stopping;

    private World World => machine.World;

    public bool Runs(ulong epoch) => app is { Accepts: true } && app.Epoch == epoch;

    public bool IsFree => app is not { Accepts: true };

    public void Start(ulong epoch, TimeSpan until)
    {
        if (node.Book.GuardKnowsDeadline && machine.Now >= until)
        {
            return;
        }

        app = new App(node, epoch);
        stopping = false;
        deadline = until;
        app.Start();
        Watch(app);
    }

    /// <summary>The lease was renewed. It cannot be taken back what was said before.</summary>
    public void Prolong(TimeSpan until)
    {
        if (until > deadline)
        {
            deadline = until;
        }
    }

    /// <summary>Killing a group of processes takes a moment, and an app that ends in good order takes as long as it is allowed to.</summary>
    public void Stop(Action? then = null, double within = 0.05)
    {
        if (app is not { Accepts: true } running)
        {
            then?.Invoke();
            return;
        }

        if (stopping && then is null)
        {
            return;
        }

        stopping = true;
        World.After(World.Random.NextDouble() * within, () =>
        {
            running.Stop();
            then?.Invoke();
        });
    }

    public void NodeDied()
    {
        if (app is not { Accepts: true } left)
        {
            return;
        }

        if (node.Book.AppStopsBeforeTheLastWill)
        {
            Stop(() => LastWill(left.Epoch, 3), (World.Rules.Lease / 3).TotalSeconds);
        }
        else
        {
            LastWill(left.Epoch, 3);
            World.After(0.3, () => Stop());
        }
    }

    /// <summary>The machine lost its power.</summary>
    public void Vanish()
    {
        app?.Vanish();
        app = null;
    }

    private void LastWill(ulong epoch, int times)
    {
        World.Tally.LastWills += times == 3 ? 1 : 0;
        foreach (var voter in World.Machines)
        {
            World.Network.Send(machine, voter, process => process.OnGiveBack(epoch, machine.Name, null, Leaving.Died));
        }

        if (times > 1)
        {
            World.After(0.2, () => LastWill(epoch, times - 1));
        }
    }

    private void Watch(App watched)
    {
        if (!node.Book.GuardKnowsDeadline)
        {
            return;
        }

        World.After(Math.Max(0, machine.TimeOf(deadline) - World.Time) + 1e-6, () =>
        {
            if (watched == app && watched.Accepts)
            {
                if (machine.Now >= deadline)
                {
                    // However long it was given before.
                    stopping = true;
                    World.After(World.Random.NextDouble() * 0.05, watched.Stop);
                }
                else
                {
                    Watch(watched);
                }
            }
        });
    }
}
