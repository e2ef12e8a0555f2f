namespace Mirror.Store.Versions;

/// <summary>A branch that diverged: what this node captured as a primary, and the line of versions never saw.</summary>
/// <param name="Label">Its last version, by which it is named.</param>
/// <param name="Versions">All of it, oldest first.</param>
/// <param name="Left">The newest kept version of the line before it; none when none is kept.</param>
/// <param name="Kept">When the last of it came into the store.</param>
/// <param name="PackBytes">Of packs that lead to it or away from it.</param>
/// <param name="Note">Why it is one, or why it was given up.</param>
public sealed record Divergence(VersionId Label, IReadOnlyList<VersionRecord> Versions, VersionId Left, DateTimeOffset Kept, long PackBytes, string Note, bool IsGivenUp);

/// <summary>What became of a path in the line since a branch left it.</summary>
public enum PresentState
{
    /// <summary>The line has by now what the branch has.</summary>
    Same,

    /// <summary>The line did not touch it: the branch's alone.</summary>
    AsBefore,

    /// <summary>Both changed it, each in its own way.</summary>
    Changed,
}

/// <param name="Now">Null when there is nothing to compare with, as the newest version here is the branch itself.</param>
public sealed record DivergedPath(PathChange Change, PresentState? Now);

/// <param name="Present">The version of the line that was compared with; none when there is none yet.</param>
public sealed record DivergenceReport(Divergence Branch, IReadOnlyList<DivergedPath> Paths, VersionId Present);

/// <summary>What giving up a branch did, or would do.</summary>
/// <param name="Stay">Versions of it that are in use, or that others need, with why: they go when that ends.</param>
/// <param name="BytesBefore">Of all packs.</param>
public sealed record BranchDrop(Divergence Branch, IReadOnlyDictionary<VersionId, string> Stay, long BytesBefore, long BytesAfter);
