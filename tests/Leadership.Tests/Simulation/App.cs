namespace Mirror.Leadership.Tests.Simulation;

/// <summary>The site's app, on the primary: it accepts writes from the moment it is started until it is stopped.</summary>
internal sealed class App(Process owner, ulong epoch)
{
    public Process Owner => owner;
    public ulong Epoch => epoch;
    public bool Accepts { get; private set; }

    public void Start()
    {
        Accepts = true;
        owner.World.Truth.Serves(this);
        Write();
    }

    public void Stop()
    {
        if (Accepts)
        {
            owner.World.Truth.Stopped(this);
            Accepts = false;
        }
    }

    public void Vanish()
    {
        owner.World.Truth.Vanished(this);
        Accepts = false;
    }

    public override string ToString() => $"the app of {owner.Machine.Name} in epoch {epoch}";

    private void Write() => owner.World.After(0.05 + (owner.World.Random.NextDouble() * 0.8), () =>
    {
        if (Accepts)
        {
            owner.World.Truth.Writes(this);
            owner.Machine.Disk.Uncaptured++;
            Write();
        }
    });
}
