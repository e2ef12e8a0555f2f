using Mirror.Store.Versions;

namespace Mirror.Store.Retention;

/// <param name="Received">When it came here, by this machine's clock: what the calendar goes by.</param>
/// <param name="Reason">Why it is kept, or why it goes.</param>
public sealed record RetentionLine(VersionId Id, DateTimeOffset Received, bool Kept, string Reason);

/// <summary>What a policy, or somebody's word, makes of the versions of a store.</summary>
/// <param name="Lines">Oldest first.</param>
/// <param name="BytesBefore">Of the packs of the history.</param>
/// <param name="BytesAfter">The same as before in a dry run: what is saved is known only when it is done.</param>
/// <param name="Notices">What could not be done, and why.</param>
public sealed record RetentionReport(IReadOnlyList<RetentionLine> Lines, long BytesBefore, long BytesAfter, IReadOnlyList<string> Notices)
{
    public int Dropped => Lines.Count(line => !line.Kept);
}

/// <param name="Bytes">Of the pack.</param>
public sealed record KeyFrameReport(VersionId Version, long Bytes);
