namespace Mirror.Leadership.Core;

/// <summary>
/// May a voter take part when configurations name different voters? Two sets that differ by one voter share a voter in any two of their majorities, and that one promises itself to one node at a time. Two that differ by more may
/// each have a majority of their own, and a primary. So an epoch is granted only between members that name the same voters; a reign may be renewed by a voter that names one more or one less, which lets a set be changed on one
/// member after the other; and a voter that has seen a reign of other voters than one more or less takes part in nothing, until it has.
/// </summary>
internal static class VoterSets
{
    /// <returns>Why not, and whether the candidate must give up though others agree: this one has seen a reign of voters of whom the others may know nothing, being new. Null when nothing is against it.</returns>
    public static (string Sentence, bool ForAll)? Objection(VoterState state, SiteRules rules, GrantAsk ask)
    {
        if (state.Voters is null && ask.Voters is null)
        {
            return null;
        }

        var own = rules.VoterSet;
        var forAll = state.Voters is { } reigned && ask.Voters is { } candidates && Apart(reigned, candidates) > 1;
        if (state.Voters is { } seen && Apart(seen, own) > 1)
        {
            return ($"The last primary was appointed by the voters {Text(seen)}, and this voter's configuration says sites.{rules.Site}.voters = {Text(own)}: each could have a majority of its own, so it takes no part. Change one voter at a time.", forAll);
        }

        var apart = ask.Voters is { } theirs ? Apart(theirs, own) : 0;
        return apart == 0 || (apart == 1 && ask.Renewal) ? null
            : ($"{ask.Candidate} says sites.{rules.Site}.voters = {Text(ask.Voters!)}, this voter says {Text(own)}: give all members the same configuration{(apart > 1 ? ", and change one voter at a time" : "")}.", forAll);
    }

    /// <summary>When a reign is renewed: the voters that are known from now on.</summary>
    public static string? Known(VoterState state, SiteRules rules, GrantAsk ask) => ask is { Renewal: true, Voters: { } theirs } && theirs == rules.VoterSet ? theirs : state.Voters;

    /// <summary>How many are in one and not in the other.</summary>
    private static int Apart(string one, string other)
    {
        var names = one.Split(' ').ToHashSet(StringComparer.Ordinal);
        names.SymmetricExceptWith(other.Split(' '));
        return names.Count;
    }

    private static string Text(string voters) => voters.Replace(" ", ", ", StringComparison.Ordinal);
}
