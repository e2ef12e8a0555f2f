using System.Text;
using Google.Protobuf;
using Mirror.Store.Records;

namespace Mirror.Store.Manifests;

/// <summary>
/// Entries as they lie in packs and in the index. Decoding takes nothing on trust: every field is checked, and a message that says anything an entry
/// cannot say back (an unknown field, a value where none belongs) is refused.
/// </summary>
internal static class EntryRecords
{
    private static readonly UTF8Encoding strict = new(false, true);

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
            DeviceMajor = entry.DeviceMajor,
            DeviceMinor = entry.DeviceMinor,
            Sparse = entry.Sparse,
            Unstable = entry.Unstable,
        };
        if (!entry.Hash.IsNone)
        {
            message.Sha256 = UnsafeByteOperations.UnsafeWrap(entry.Hash.ToArray());
        }

        if (entry.LinkTarget.Length > 0)
        {
            message.LinkTarget = UnsafeByteOperations.UnsafeWrap(entry.LinkTarget);
        }

        if (entry.HardlinkOf is { } leader)
        {
            message.HardlinkOf = ByteString.CopyFrom(leader.Bytes);
        }

        foreach (var xattr in entry.Xattrs)
        {
            message.Xattrs.Add(new XattrRecord { Name = ByteString.CopyFromUtf8(xattr.Name), Value = UnsafeByteOperations.UnsafeWrap(xattr.Value) });
        }

        return message;
    }

    /// <exception cref="InvalidDataException">Says which path and what is wrong with it.</exception>
    public static Entry Decode(EntryMessage message)
    {
        var entry = DecodeKnown(message);

        // Equality of messages covers unknown fields too.
        return Encode(entry).Equals(message)
            ? entry
            : throw new InvalidDataException($"The entry \"{entry.Path}\" is refused: its record says something that this program does not know.");
    }

    /// <summary>The same for records of our own, together under a root that is compared: what they say beyond an entry is passed over.</summary>
    /// <inheritdoc cref="Decode" path="/exception"/>
    /// <param name="names">Names that were met before: thousands of entries have the same owner, and need not have a text each.</param>
    public static Entry DecodeKnown(EntryMessage message, HashSet<string>? names = null)
    {
        var path = EntryPath.Parse(message.Path.Span);
        if (message.Size > long.MaxValue)
        {
            throw new InvalidDataException($"The entry \"{path}\" is refused: {message.Size} bytes is no size for a file.");
        }

        var entry = new Entry
        {
            Path = path,
            Type = (EntryType)message.Type,
            Mode = message.Mode,
            Uid = message.Uid,
            Gid = message.Gid,
            Owner = Shared(message.Owner, names),
            Group = Shared(message.Group, names),
            MtimeUnixNs = message.MtimeUnixNs,
            Size = (long)message.Size,
            Hash = message.Sha256.IsEmpty ? default : ContentHash.From(message.Sha256.Span),
            LinkTarget = message.LinkTarget.IsEmpty ? [] : message.LinkTarget.ToByteArray(),
            DeviceMajor = message.DeviceMajor,
            DeviceMinor = message.DeviceMinor,
            HardlinkOf = message.HardlinkOf.IsEmpty ? null : EntryPath.Parse(message.HardlinkOf.Span),
            Sparse = message.Sparse,
            Unstable = message.Unstable,
            Xattrs = DecodeXattrs(path, message),
        };
        EntryRules.Check(entry);
        return entry;
    }

    private static string Shared(string name, HashSet<string>? names)
    {
        if (names is null || names.Add(name))
        {
            return name;
        }

        return names.TryGetValue(name, out var same) ? same : name;
    }

    private static Xattr[] DecodeXattrs(EntryPath path, EntryMessage message)
    {
        if (message.Xattrs.Count > EntryRules.MaxXattrs)
        {
            throw new InvalidDataException($"The entry \"{path}\" is refused: it has {message.Xattrs.Count} attributes, more than {EntryRules.MaxXattrs}.");
        }

        var xattrs = message.Xattrs.Count == 0 ? [] : new Xattr[message.Xattrs.Count];
        for (var at = 0; at < xattrs.Length; at++)
        {
            var record = message.Xattrs[at];
            try
            {
                xattrs[at] = new Xattr(strict.GetString(record.Name.Span), record.Value.ToByteArray());
            }
            catch (DecoderFallbackException)
            {
                throw new InvalidDataException($"The entry \"{path}\" is refused: the name of its attribute number {at + 1} is not UTF-8.");
            }
        }

        return xattrs;
    }
}
