namespace Mirror.Fuzz;

/// <summary>
/// The inputs that mutations start from: the parser's seeds, and of what was tried, each that ended in a way not seen before. So the search goes on from where it got furthest.
/// </summary>
internal sealed class Corpus(IReadOnlyList<byte[]> seeds, Random random)
{
    private const int Most = 2000;
    private readonly List<byte[]> inputs = [.. seeds];
    private readonly HashSet<int> seen = [];

    /// <summary>Different ways in which reading ended so far.</summary>
    public int Ways => seen.Count;

    public byte[] Pick() => inputs.Count == 0 ? [] : inputs[random.Next(inputs.Count)];

    public void Add(byte[] input, int way)
    {
        if (!seen.Add(way))
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
