using Google.Protobuf;
using Mirror.Node.Wire;
using Mirror.Store.Manifests;

namespace Mirror.Cli.Hosting;

/// <summary>A manifest's entry as the control service says it.</summary>
internal static class EntryLines
{
    public static EntryLine Of(Entry entry) => new()
    {
        Path = ByteString.CopyFrom(entry.Path.Bytes),
        Type = entry.HardlinkOf is null ? entry.Type.ToString().ToLowerInvariant() : "hardlink",
        Mode = entry.Mode,
        Owner = entry.Owner.Length > 0 ? entry.Owner : entry.Uid.ToString(System.Globalization.CultureInfo.InvariantCulture),
        Group = entry.Group.Length > 0 ? entry.Group : entry.Gid.ToString(System.Globalization.CultureInfo.InvariantCulture),
        Size = (ulong)entry.Size,
        MtimeUnixNs = entry.MtimeUnixNs,
        Sha256 = entry.Hash.IsNone ? ByteString.Empty : ByteString.CopyFrom(entry.Hash.ToArray()),
        Target = entry.HardlinkOf is { } leader ? ByteString.CopyFrom(leader.Bytes) : ByteString.CopyFrom(entry.LinkTarget),
    };
}
