namespace Mirror.Node.Configuration;

/// <summary>"Did you mean": the known word nearest to a misspelt one, if it is near enough to be worth saying.</summary>
internal static class Spelling
{
    public static string? Nearest(string word, IEnumerable<string> known)
    {
        var limit = (word.Length + 2) / 3;
        return known
            .Select(candidate => (candidate, distance: Distance(word, candidate)))
            .Where(pair => pair.distance <= limit)
            .OrderBy(pair => pair.distance)
            .Select(pair => pair.candidate)
            .FirstOrDefault();
    }

    /// <summary>The remedy for an unknown word: the likely one, or all there are.</summary>
    public static string Suggest(string word, IReadOnlyCollection<string> known) =>
        Nearest(word, known) is { } nearest ? $"Did you mean '{nearest}'?"
        : known.Count == 0 ? "Nothing may stand here; remove it."
        : $"Known here: {string.Join(", ", known)}.";

    // Damerau-Levenshtein without transpositions across edits: insert, delete, replace, swap of neighbours.
    private static int Distance(string left, string right)
    {
        var table = new int[left.Length + 1, right.Length + 1];
        for (var i = 0; i <= left.Length; i++)
        {
            table[i, 0] = i;
        }

        for (var j = 0; j <= right.Length; j++)
        {
            table[0, j] = j;
        }

        for (var i = 1; i <= left.Length; i++)
        {
            for (var j = 1; j <= right.Length; j++)
            {
                var cost = left[i - 1] == right[j - 1] ? 0 : 1;
                var best = Math.Min(Math.Min(table[i - 1, j] + 1, table[i, j - 1] + 1), table[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                {
                    best = Math.Min(best, table[i - 2, j - 2] + 1);
                }

                table[i, j] = best;
            }
        }

        return table[left.Length, right.Length];
    }
}
