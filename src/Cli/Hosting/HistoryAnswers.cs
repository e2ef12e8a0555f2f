using Google.Protobuf;
using Mirror.Node.Wire;
using Mirror.Primary.Publish;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Cli.Hosting;

/// <summary>What a store says about its versions, as the control service says it: a node answers with this, and commands on a store of their own show the same.</summary>
internal static class HistoryAnswers
{
    public static IEnumerable<ChangeLine> Diff(VersionStore store, VersionId from, VersionId to) => store.Diff(from, to).Select(change => Of(change));

    public static IEnumerable<ChangeLine> Find(VersionStore store, ReadOnlySpan<byte> pattern)
    {
        var history = store.HistoryOf(PathPattern.Parse(pattern).Matches);
        return history.Changes.Select(found =>
        {
            var line = Of(found.Change);
            line.Version = Wire(found.Version.Id);
            line.TimeUnixNs = (found.Version.Time - DateTimeOffset.UnixEpoch).Ticks * 100;
            return line;
        }).Concat(history.Unknown.Select(id => new ChangeLine { Version = Wire(id) }));
    }

    /// <summary>What a version changed against its parent; null when that cannot be had here.</summary>
    public static ChangeCounts? Counts(VersionStore store, VersionRecord version)
    {
        IReadOnlyList<PathChange> changes;
        try
        {
            changes = version.Parent.IsNone ? PathChange.Between(Manifest.Empty, store.ManifestOf(version.Id))
                : store.Find(version.Parent) is null ? []
                : store.Diff(version.Parent, version.Id);
        }
        catch (StoreException)
        {
            // The version itself can be shown all the same.
            return null;
        }

        return !version.Parent.IsNone && store.Find(version.Parent) is null ? null : Counts(version.Parent, changes);
    }

    public static ChangeCounts Counts(VersionId since, IReadOnlyList<PathChange> changes)
    {
        ulong Count(params PathChangeKind[] kinds) => (ulong)changes.Count(change => kinds.Contains(change.Kind));
        return new ChangeCounts
        {
            Since = Wire(since),
            Added = Count(PathChangeKind.Added),
            Removed = Count(PathChangeKind.Removed),
            Moved = Count(PathChangeKind.Moved),
            Changed = Count(PathChangeKind.Content, PathChangeKind.Type),
            Metadata = Count(PathChangeKind.Metadata),
        };
    }

    public static RestoreOptions Options(RestoreRequest request) => new() { Path = EntryPath.Parse(request.Path.Span), InPlace = request.InPlace, Link = request.Link, Since = request.Since is { } since ? new VersionId(since.Epoch, since.Sequence) : null };

    public static RestoreOutcome Of(RestorePlan plan)
    {
        var outcome = new RestoreOutcome
        {
            Version = VersionSummaries.Of(plan.Version, restorable: true, ""),
            Destination = plan.Destination,
            Entries = (ulong)plan.Entries,
            Files = (ulong)plan.Files,
            Linked = (ulong)plan.Linked,
            BytesToRead = (ulong)plan.BytesToRead,
            BytesToWrite = (ulong)plan.BytesToWrite,
            BytesNeeded = (ulong)plan.Needed,
            BytesFree = (ulong)plan.Free,
            Replaces = plan.Replaces,
        };
        outcome.ManifestPacks.AddRange(plan.ManifestWay);
        outcome.Sources.AddRange(plan.Sources.Select(source => new RestoreSourceLine { Name = source.Name, Contents = (ulong)source.Contents, Bytes = (ulong)source.Bytes }));
        outcome.Damaged.AddRange(plan.Damaged);
        outcome.Peers.AddRange(plan.Peers.Select(Of));
        return outcome;
    }

    public static RestoreOutcome Of(RestoreReport report, string destination)
    {
        var outcome = new RestoreOutcome
        {
            Version = VersionSummaries.Of(report.Version, restorable: true, ""),
            Destination = destination,
            Entries = (ulong)report.Entries,
            Files = (ulong)report.Files,
            Linked = (ulong)report.Linked,
            BytesToWrite = (ulong)report.Bytes,
            Previous = report.Previous ?? "",
        };
        outcome.Damaged.AddRange(report.Damaged);
        outcome.Detours.AddRange(report.Detours.Select(detour => new DetourLine { Damaged = detour.Damaged, Instead = detour.Instead }));
        outcome.Unset.AddRange(report.Unset.Select(unset => $"{unset.Path}: {unset.Reason}"));
        outcome.Peers.AddRange(report.Peers.Select(Of));
        return outcome;
    }

    private static RestoreSourceLine Of(PeerShare share) => new() { Name = share.Peer, Contents = (ulong)share.Contents, Bytes = (ulong)share.Bytes };

    public static ChangeLine Of(PathChange change) => new()
    {
        Kind = change.Kind.ToString().ToLowerInvariant(),
        Path = ByteString.CopyFrom(change.Path.Bytes),
        Before = change.Before is { } before ? EntryLines.Of(before) : null,
        After = change.After is { } after ? EntryLines.Of(after) : null,
    };

    public static VersionPosition Wire(VersionId id) => new() { Epoch = id.Epoch, Sequence = id.Sequence };
}
