using Google.Protobuf;
using Mirror.Node.Wire;
using Mirror.Store.Versions;

namespace Mirror.Primary.Publish;

/// <summary>A kept version as the wire says it.</summary>
public static class VersionSummaries
{
    private const long nanosecondsPerTick = 100;

    public static VersionSummary Of(KeptVersion kept) => Of(kept.Record, kept.Restorable, kept.Note);

    public static VersionSummary Of(VersionRecord record, bool restorable, string note)
    {
        var summary = new VersionSummary
        {
            Id = new VersionPosition { Epoch = record.Id.Epoch, Sequence = record.Id.Sequence },
            Parent = new VersionPosition { Epoch = record.Parent.Epoch, Sequence = record.Parent.Sequence },
            Root = ByteString.CopyFrom(record.Root.ToArray()),
            TimeUnixNs = (record.Time - DateTimeOffset.UnixEpoch).Ticks * nanosecondsPerTick,
            Origin = record.Origin,
            Entries = (ulong)record.Entries,
            Bytes = (ulong)record.Bytes,
            Note = note,
            Restorable = restorable,
            Chain = ByteString.CopyFrom(record.Chain.ToArray()),
        };
        summary.Dumps.AddRange(record.Dumps);
        return summary;
    }
}
