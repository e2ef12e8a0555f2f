using Mirror.Store.Versions;

namespace Mirror.Store.Retention;

/// <summary>Why somebody wants something kept or given up, as it is written down: one line that people can read.</summary>
internal static class GivenReason
{
    private const int Longest = 200;

    /// <param name="what">Ends "A reason for …".</param>
    /// <exception cref="StoreException">It is no such line.</exception>
    public static string Check(string reason, string what)
    {
        reason = reason.Trim();
        return reason.Length is > 0 and <= Longest && !reason.Any(char.IsControl)
            ? reason
            : throw new StoreException($"A reason for {what} is one line of 1 to {Longest} characters.");
    }
}
