using Google.Protobuf;
using Mirror.Store.Packs;
using Mirror.Store.Records;

namespace Mirror.Store.Manifests;

/// <summary>Entries between memory and their stored form.</summary>
internal static class EntryRecords
{
    public static EntryMessage Encode(Entry entry)
    {
        var message = new EntryMessage
        {
            Path = ByteString.CopyFrom(entry.Path.Bytes),
            Type = (uint)entry.Type,
            Mode = entry.Mode,
            Uid = entry.Uid,
            Gid = entry.Gid,
            Owner = entry.Owner,
            Group = entry.Group,
            MtimeUnixNs = entry.MtimeUnixNs,
            Size = (ulong)entry.Size,
            Sha256 = PackRecords.Encode(entry.Hash),
            LinkTarget = ByteString.CopyFrom(entry.LinkTarget),
            DeviceMajor = entry.DeviceMajor,
            DeviceMinor = entry.DeviceMinor,
            HardlinkOf = entry.HardlinkOf is { } first ? ByteString.CopyFrom(first.Bytes) : ByteString.Empty,
            Sparse = entry.Sparse,
            Unstable = entry.Unstable,
        };
        message.Xattrs.AddRange(entry.Xattrs.Select(xattr =>
            new XattrRecord { Name = ByteString.CopyFromUtf8(xattr.Name), Value = ByteString.CopyFrom(xattr.Value) }));
        return message;
    }

    /// <exception cref="InvalidDataException"/>
    public static Entry Decode(EntryMessage message) => new()
    {
        Path = EntryPath.Parse(message.Path.Span),
        Type = message.Type is >= 1 and <= 6 ? (EntryType)message.Type : throw new InvalidDataException($"an entry is of type {message.Type}"),
        Mode = message.Mode <= 0xFFF ? message.Mode : throw new InvalidDataException($"an entry has mode {message.Mode}"),
        Uid = message.Uid,
        Gid = message.Gid,
        Owner = message.Owner,
        Group = message.Group,
        MtimeUnixNs = message.MtimeUnixNs,
        Size = message.Size <= long.MaxValue ? (long)message.Size : throw new InvalidDataException($"an entry has {message.Size} bytes"),
        Hash = PackRecords.DecodeHash(message.Sha256, "an entry's SHA-256"),
        LinkTarget = message.LinkTarget.ToByteArray(),
        DeviceMajor = message.DeviceMajor,
        DeviceMinor = message.DeviceMinor,
        HardlinkOf = message.HardlinkOf.IsEmpty ? null : EntryPath.Parse(message.HardlinkOf.Span),
        Sparse = message.Sparse,
        Unstable = message.Unstable,
        Xattrs = [.. message.Xattrs.Select(xattr => new Xattr(xattr.Name.ToStringUtf8(), xattr.Value.ToByteArray()))],
    };
}
