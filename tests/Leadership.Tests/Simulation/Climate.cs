using Mirror.Leadership.Core;

namespace Mirror.Leadership.Tests.Simulation;

/// <summary>What kind of world a seed makes: how many members, how bad the lines, which faults and how often. Rates are per second, over the whole cluster.</summary>
internal sealed record Climate
{
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(2);

    public required SiteRules Rules { get; init; }

    /// <summary>Seconds of trouble; as many leases of peace as <see cref="World.Peace"/> says follow.</summary>
    public required double Trouble { get; init; }
    public required double Loss { get; init; }
    public required double Duplication { get; init; }

    /// <summary>Share of the messages that are far later than the others.</summary>
    public required double Lateness { get; init; }
    public required double Latency { get; init; }
    public required double Cuts { get; init; }
    public required double Partitions { get; init; }
    public required double Pauses { get; init; }
    public required double Kills { get; init; }
    public required double PowerLosses { get; init; }
    public required double DiskLosses { get; init; }
    public required double Blackouts { get; init; }
    public required double Handovers { get; init; }
    /// <summary>How often an operator pauses or resumes automatic failover.</summary>
    public double Orders { get; init; }
    public required double LongestRestart { get; init; }
    public required double LongestApply { get; init; }
    public required double SlowDisks { get; init; }

    /// <summary>Nothing lasts longer than what the first primary survives as such.</summary>
    public bool OnlyBlips { get; init; }

    public static Climate Of(Random random)
    {
        var nodes = random.Next(10) switch { < 6 => 3, < 8 => 2, 8 => 4, _ => 5 };
        var witnesses = nodes == 2 ? 1 : random.Next(4) == 0 ? random.Next(3) : 0;
        return new Climate
        {
            Rules = RulesOf(nodes, witnesses),
            Trouble = 120,
            Loss = Sometimes(0.5, 0.15),
            Duplication = Sometimes(0.5, 0.1),
            Lateness = Sometimes(0.4, 0.2),
            Latency = 0.0005 + Sometimes(0.5, 0.03),
            Cuts = Sometimes(0.7, 0.3),
            Partitions = Sometimes(0.7, 0.15),
            Pauses = Sometimes(0.6, 0.2),
            Kills = Sometimes(0.6, 0.15),
            PowerLosses = Sometimes(0.6, 0.15),
            DiskLosses = Sometimes(0.2, 0.02),
            Blackouts = Sometimes(0.4, 0.03),
            Handovers = Sometimes(0.6, 0.1),
            LongestRestart = random.Next(2) == 0 ? 1 : 8,
            LongestApply = random.Next(2) == 0 ? 0.1 : 1.5,
            SlowDisks = Sometimes(0.3, 0.1),
        };

        double Sometimes(double how, double most) => random.NextDouble() < how ? random.NextDouble() * most : 0;
    }

    /// <summary>Lines go and processes stop, each for no more than a quarter of a lease and one after the other: nothing of it may move the site.</summary>
    public static Climate OfBlips(Random random) => new()
    {
        Rules = RulesOf(3 + random.Next(2), random.Next(2)),
        Trouble = 120,
        Loss = 0,
        Duplication = random.NextDouble() * 0.1,
        Lateness = 0,
        Latency = 0.0005 + (random.NextDouble() * 0.02),
        Cuts = 0.2,
        Partitions = 0.2,
        Pauses = 0.2,
        Kills = 0,
        PowerLosses = 0,
        DiskLosses = 0,
        Blackouts = 0,
        Handovers = 0,
        LongestRestart = 1,
        LongestApply = 0.1,
        SlowDisks = 0,
        OnlyBlips = true,
    };

    private static SiteRules RulesOf(int nodes, int witnesses)
    {
        var names = new string[nodes];
        var voters = new string[nodes + witnesses];
        for (var number = 0; number < voters.Length; number++)
        {
            voters[number] = number < nodes ? $"n{number}" : $"w{number - nodes}";
            if (number < nodes)
            {
                names[number] = voters[number];
            }
        }

        return new("wiki", "n0", names, voters, true, Lease);
    }
}
