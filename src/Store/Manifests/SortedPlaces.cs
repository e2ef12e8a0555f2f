namespace Mirror.Store.Manifests;

/// <summary>Places of entries by a number each has, which several may share: 12 bytes an entry, where a dictionary takes three times that.</summary>
internal sealed class SortedPlaces
{
    private readonly ulong[] numbers;
    private readonly int[] places;

    private SortedPlaces(ulong[] numbers, int[] places)
    {
        this.numbers = numbers;
        this.places = places;
    }

    public int Count => numbers.Length;

    public static SortedPlaces Of(IEnumerable<(ulong Number, int Place)> all)
    {
        var numbers = new List<ulong>();
        var places = new List<int>();
        foreach (var (number, place) in all)
        {
            numbers.Add(number);
            places.Add(place);
        }

        var sorted = new SortedPlaces([.. numbers], [.. places]);
        Array.Sort(sorted.numbers, sorted.places);
        return sorted;
    }

    /// <summary>In no order.</summary>
    public ReadOnlySpan<int> Of(ulong number)
    {
        var from = LowerBound(number);
        var to = from;
        while (to < numbers.Length && numbers[to] == number)
        {
            to++;
        }

        return places.AsSpan(from, to - from);
    }

    private int LowerBound(ulong number)
    {
        int low = 0, high = numbers.Length;
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            (low, high) = numbers[middle] < number ? (middle + 1, high) : (low, middle);
        }

        return low;
    }
}
