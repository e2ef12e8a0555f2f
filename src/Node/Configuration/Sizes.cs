using System.Globalization;

namespace Mirror.Node.Configuration;

/// <summary>Sizes as people write them: <c>512M</c>, <c>50G</c>, <c>2T</c>; a unit is 1,024 of the one before, and a number alone is bytes.</summary>
public static class Sizes
{
    private const string Units = "KMGTP";

    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        var rest = text.AsSpan().Trim();
        var shift = 0;
        if (!rest.IsEmpty && Units.IndexOf(char.ToUpperInvariant(rest[^1])) is var unit and >= 0)
        {
            shift = 10 * (unit + 1);
            rest = rest[..^1].TrimEnd();
        }

        if (!long.TryParse(rest, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > long.MaxValue >> shift)
        {
            return false;
        }

        bytes = number << shift;
        return true;
    }

    /// <summary>In the largest unit that leaves a whole number.</summary>
    public static string Format(long bytes)
    {
        var unit = 0;
        while (unit < Units.Length && bytes != 0 && bytes % 1024 == 0)
        {
            bytes /= 1024;
            unit++;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{bytes}{(unit == 0 ? "" : Units[unit - 1].ToString())}");
    }
}
