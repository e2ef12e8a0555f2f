using System.Globalization;

namespace Mirror.Store.Versions;

/// <summary>
/// A version's name, <c>epoch.sequence</c>: epochs are reigns of a primary and only grow; sequences count within one.
/// <c>default</c> (0.0) means "no version".
/// </summary>
public readonly record struct VersionId(ulong Epoch, ulong Sequence) : IComparable<VersionId>
{
    public bool IsNone => Epoch == 0 && Sequence == 0;

    public VersionId Next => this with { Sequence = Sequence + 1 };

    public int CompareTo(VersionId other)
    {
        var byEpoch = Epoch.CompareTo(other.Epoch);
        return byEpoch != 0 ? byEpoch : Sequence.CompareTo(other.Sequence);
    }

    public static bool operator <(VersionId left, VersionId right) => left.CompareTo(right) < 0;
    public static bool operator >(VersionId left, VersionId right) => left.CompareTo(right) > 0;
    public static bool operator <=(VersionId left, VersionId right) => left.CompareTo(right) <= 0;
    public static bool operator >=(VersionId left, VersionId right) => left.CompareTo(right) >= 0;

    public static bool TryParse(string? text, out VersionId id)
    {
        id = default;
        var dot = text?.IndexOf('.', StringComparison.Ordinal) ?? -1;
        if (dot <= 0
            || !ulong.TryParse(text.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out var epoch)
            || !ulong.TryParse(text.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var sequence))
        {
            return false;
        }

        id = new VersionId(epoch, sequence);
        return true;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Epoch}.{Sequence}");
}
