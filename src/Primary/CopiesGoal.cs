using System.Globalization;

namespace Mirror.Primary;

/// <summary>How far others must be with a version, each stage beyond the one before.</summary>
public enum HoldingStage
{
    /// <summary>Received, checked and durable.</summary>
    Stored,

    /// <summary>Applied; every file and the root checked.</summary>
    Verified,

    /// <summary>Its apps serve it.</summary>
    Warm,

    /// <summary>On so many nodes that it stays, whatever happens next.</summary>
    Consistent,
}

/// <summary>What a capture may be waited for: <c>stored:2</c>, <c>verified:1</c>, <c>warm:1</c> or <c>consistent</c>.</summary>
/// <param name="Replicas">How many replicas (the primary is none); 0 with <see cref="HoldingStage.Consistent"/>, which the site's voters decide.</param>
public sealed record CopiesGoal(HoldingStage Stage, int Replicas)
{
    public static bool TryParse(string text, out CopiesGoal goal)
    {
        goal = new CopiesGoal(HoldingStage.Consistent, 0);
        if (text == "consistent")
        {
            return true;
        }

        var colon = text.IndexOf(':', StringComparison.Ordinal);
        HoldingStage? stage = (colon < 0 ? "" : text[..colon]) switch
        {
            "stored" => HoldingStage.Stored,
            "verified" => HoldingStage.Verified,
            "warm" => HoldingStage.Warm,
            _ => null,
        };
        if (stage is not { } wanted || !int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var replicas) || replicas < 1)
        {
            return false;
        }

        goal = new CopiesGoal(wanted, replicas);
        return true;
    }

    public override string ToString() => Stage == HoldingStage.Consistent
        ? "consistent"
        : string.Create(CultureInfo.InvariantCulture, $"{Stage.ToString().ToLowerInvariant()}:{Replicas}");
}

/// <summary>One replica, as it was when the waiting ended.</summary>
/// <param name="Holding">What it said last; null when it has said nothing in this reign.</param>
/// <param name="After">How long after the waiting began it was where it should be; null: it is not.</param>
public sealed record WaitedReplica(string Node, ReplicaHolding? Holding, TimeSpan? After);

/// <param name="Reached">False: the time ran out first.</param>
/// <param name="Replicas">All of the site, in the order of the configuration.</param>
public sealed record CopiesWaited(bool Reached, IReadOnlyList<WaitedReplica> Replicas, TimeSpan Took);
