namespace Mirror.Store.Versions;

/// <summary>
/// What the note of a version says when it is on a branch that diverged: captured here, and never seen by the primary that came after. Such a version is kept by nothing but this note, until a person gives the
/// branch up; from then on it is a version that may go, and still none of the line.
/// </summary>
internal static class BranchNote
{
    private const string Branch = "diverged";
    private const string Kept = $"{Branch}: ";
    private const string Up = $"{Branch}, given up: ";

    public static string Of(string reason) => IsBranch(reason) ? reason : Kept + reason;

    public static string GivenUp(string reason) => Up + reason;

    public static bool IsBranch(string note) => note.StartsWith(Branch, StringComparison.Ordinal);

    public static bool IsGivenUp(string note) => note.StartsWith(Up, StringComparison.Ordinal);
}
