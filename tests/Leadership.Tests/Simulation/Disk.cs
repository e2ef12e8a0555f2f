using Mirror.Leadership.Core;

namespace Mirror.Leadership.Tests.Simulation;

/// <summary>What of a machine outlives its processes. What was written and not synced outlives a killed process, and no power loss.</summary>
internal sealed class Disk
{
    private VoterState? safe;
    private VoterState? beingWritten;

    public VoterState? Vote { get; private set; }

    public ulong Gate { get; set; }

    /// <summary>Newest version that is applied and checked.</summary>
    public Version? Head { get; set; }

    /// <summary>Newest version that was received whole.</summary>
    public Version? Stored { get; set; }

    /// <summary>The tree is the node's own: it was primary, and has not retired.</summary>
    public bool IsLive { get; set; }

    /// <summary>Writes in the live tree that no version has yet.</summary>
    public long Uncaptured { get; set; }

    /// <summary>What was set aside because it diverged.</summary>
    public HashSet<Version> Branches { get; } = [];

    public void WriteVote(VoterState state) => Vote = state;

    public void BeginVote(VoterState state) => beingWritten = state;

    public void EndVote(VoterState state)
    {
        Vote = state;
        safe = state;
        beingWritten = null;
    }

    /// <summary>A write that was cut short is there whole or not at all: it ends with a rename.</summary>
    public void Interrupt(Random random, bool powerLoss)
    {
        if (powerLoss)
        {
            Vote = safe;
        }

        if (beingWritten is { } written && random.Next(2) == 0)
        {
            Vote = written;
            safe = written;
        }

        beingWritten = null;
    }
}
