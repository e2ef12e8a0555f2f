using Mirror.Leadership.Core;

namespace Mirror.Leadership.Tests.Simulation;

/// <summary>The copy of the site on a node: it takes versions of no epoch older than the newest it has seen, stores, applies, and sets aside what diverged.</summary>
internal sealed partial class Process
{
    private ulong gate;
    private bool isRetiring;
    private bool isApplying;

    private Version? Verified => Book.AppliedIsWhatCounts || Disk.IsLive ? Disk.Head : Disk.Stored;

    private bool Admit(ulong epoch)
    {
        if (!Book.Admits(gate, epoch))
        {
            return false;
        }

        gate = Math.Max(gate, epoch);
        if (Book.GateIsKept)
        {
            Disk.Gate = gate;
        }

        return true;
    }

    // While it stands it goes on following; a node that reigns, or has a tree of its own, takes nothing.
    public void OnPush(Process primary, ulong epoch, Version version)
    {
        if (!TryTake(epoch) || Disk.Stored?.Contains(version) == true)
        {
            return;
        }

        if (version.Parent == Disk.Stored)
        {
            Store(version);
        }
        else
        {
            Answer(primary, () => primary.OnFillWanted(this, epoch));
        }
    }

    public void OnFill(ulong epoch, Version version)
    {
        if (!TryTake(epoch) || Disk.Stored?.Contains(version) == true)
        {
            return;
        }

        World.Tally.Fills++;
        Store(version);
    }

    private bool TryTake(ulong epoch)
    {
        if (!Machine.IsNode || Disk.IsLive || reign is not null || !Admit(epoch))
        {
            return false;
        }

        World.Truth.Received(Machine, epoch);
        return true;
    }

    private void Store(Version version)
    {
        Disk.Stored = version;
        ApplySoon();
    }

    private void ApplySoon()
    {
        if (!isApplying && !Disk.IsLive && Disk.Stored is not null && Disk.Stored != Disk.Head)
        {
            isApplying = true;
            Later(0.005 + (Random.NextDouble() * World.Climate.LongestApply), () =>
            {
                isApplying = false;
                if (!Disk.IsLive && Disk.Stored is { } stored)
                {
                    MoveHead(stored);
                    Spread();
                    Turn();
                }
            });
        }
    }

    private void MoveHead(Version version)
    {
        if (Disk.Head is { } head && !version.Contains(head) && Book.BranchesAreKept)
        {
            World.Tally.Branches++;
            Disk.Branches.Add(head);
        }

        World.Truth.Moved(Machine, Disk.Head, version);
        Disk.Head = version;
    }

    // A node that was primary and hears of a later one keeps what only it has, and becomes able to follow.
    private void RetireIfSucceeded()
    {
        if (!Disk.IsLive || reign is not null)
        {
            return;
        }

        foreach (var entry in catalogue)
        {
            if (entry is { IsPrimary: true } && entry.Node != Name && entry.Epoch > (Disk.Head?.Id.Epoch ?? 0) && Admit(entry.Epoch))
            {
                isRetiring = true;
                Later(0.05 + (Random.NextDouble() * 0.5), () =>
                {
                    if (Disk.Uncaptured > 0)
                    {
                        World.Tally.Branches++;
                        Disk.Branches.Add(new Version(new(0, 0), Disk.Head, (Disk.Head?.Writes ?? 0) + Disk.Uncaptured));
                        Disk.Uncaptured = 0;
                    }

                    Disk.IsLive = false;
                    Disk.Stored = Disk.Head;
                    isRetiring = false;
                    Turn();
                });
                return;
            }
        }
    }
}
