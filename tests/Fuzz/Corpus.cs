namespace Mirror.Fuzz;

/// <summary>
/// The inputs that mutations start from: the parser's seeds, and of what was tried, each that ended in a way not seen before, or (in a guided run) took a branch not taken before. So the search goes on from where it got furthest.
/// </summary>
internal sealed class Corpus(IReadOnlyList<byte[]> seeds, Random random)
{
    private const int Most = 2000;
    private readonly List<byte[]> inputs = [.. seeds];
    private readonly HashSet<int> seen = [];

    /// <summary>Different ways in which reading ended so far.</summary>
    public int Ways => seen.Count;

    /// <summary>Inputs that mutations start from by now.</summary>
    public int Count => inputs.Count;

    public byte[] Pick() => inputs.Count == 0 ? [] : inputs[random.Next(inputs.Count)];

    /// <param name="isNew">It got somewhere new, however it ended.</param>
    public void Add(byte[] input, int way, bool isNew)
    {
        if (!seen.Add(way) && !isNew)
        {
            return;
        }

        if (inputs.Count < Most)
        {
            inputs.Add(input);
        }
        else
        {
            inputs[seeds.Count + random.Next(Most - seeds.Count)] = input;
        }
    }
}
