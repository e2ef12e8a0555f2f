using System.Globalization;

namespace Mirror.Leadership.Core;

/// <summary>What leadership knows of a version: its place in the site's order. <c>default</c> is before every version.</summary>
public readonly record struct Position(ulong Epoch, ulong Sequence) : IComparable<Position>
{
    public int CompareTo(Position other)
    {
        var byEpoch = Epoch.CompareTo(other.Epoch);
        return byEpoch != 0 ? byEpoch : Sequence.CompareTo(other.Sequence);
    }

    public static bool operator <(Position left, Position right) => left.CompareTo(right) < 0;
    public static bool operator >(Position left, Position right) => left.CompareTo(right) > 0;
    public static bool operator <=(Position left, Position right) => left.CompareTo(right) <= 0;
    public static bool operator >=(Position left, Position right) => left.CompareTo(right) >= 0;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Epoch}.{Sequence}");
}
