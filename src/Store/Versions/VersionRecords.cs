using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Records;

namespace Mirror.Store.Versions;

public sealed partial record VersionRecord
{
    /// <summary>The chain hash this record must carry: over its parent's chain hash (none for the first version) and all it says itself.</summary>
    public static ContentHash ChainOf(ContentHash parentChain, VersionRecord record)
    {
        var said = VersionRecords.EncodeWithoutChain(record).ToByteArray();
        Span<byte> parent = stackalloc byte[ContentHash.Length];
        parentChain.CopyTo(parent);

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData("mirror chain 1\0"u8);
        hash.AppendData(parent);
        hash.AppendData(said);
        return ContentHash.From(hash.GetHashAndReset());
    }

    public bool Equals(VersionRecord? other) => other is not null
        && Site == other.Site && Id == other.Id && Parent == other.Parent && Time == other.Time && Origin == other.Origin
        && Root == other.Root && Entries == other.Entries && Bytes == other.Bytes && Chain == other.Chain && Dumps.SequenceEqual(other.Dumps);

    public override int GetHashCode() => HashCode.Combine(Site, Id, Root, Chain);
}

/// <summary>Version records between memory and their stored form (docs/format.md, "Version record and chain hash"), checked both ways.</summary>
internal static class VersionRecords
{
    public const int MaxNameBytes = 255;
    public const int MaxDumps = 4096;
    private const long NanosecondsPerTick = 100;

    /// <summary>None is an absent field.</summary>
    public static VersionIdRecord? Encode(VersionId id) => id.IsNone ? null : new VersionIdRecord { Epoch = id.Epoch, Sequence = id.Sequence };

    /// <exception cref="InvalidDataException"/>
    public static VersionId Decode(VersionIdRecord? record)
    {
        if (record is null)
        {
            return default;
        }

        var id = new VersionId(record.Epoch, record.Sequence);
        if (id.IsNone)
        {
            throw new InvalidDataException("a version is given as 0.0, which names none");
        }

        return FaultOf(id) is { } fault ? throw new InvalidDataException(fault) : id;
    }

    public static VersionRecordMessage Encode(VersionRecord version)
    {
        var message = EncodeWithoutChain(version);
        if (version.Chain.IsNone)
        {
            throw new ArgumentException($"Version {version.Id} cannot be written: it has no chain hash.", nameof(version));
        }

        message.Chain = PackRecords.Encode(version.Chain);
        return message;
    }

    public static VersionRecordMessage EncodeWithoutChain(VersionRecord version)
    {
        if (Fault(version) is { } fault)
        {
            throw new ArgumentException($"Version {version.Id} cannot be written: {fault}.", nameof(version));
        }

        var message = new VersionRecordMessage
        {
            Site = version.Site,
            Id = Encode(version.Id),
            Parent = Encode(version.Parent),
            TimeUnixNs = checked((version.Time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) * NanosecondsPerTick),
            Origin = version.Origin,
            Root = PackRecords.Encode(version.Root),
            Entries = (ulong)version.Entries,
            Bytes = (ulong)version.Bytes,
        };
        message.Dumps.AddRange(version.Dumps);
        return message;
    }

    /// <exception cref="InvalidDataException"/>
    public static VersionRecord Decode(VersionRecordMessage message)
    {
        if (message.Entries > long.MaxValue || message.Bytes > long.MaxValue)
        {
            throw new InvalidDataException($"its version counts {message.Entries} entries and {message.Bytes} bytes");
        }

        if (message.TimeUnixNs % NanosecondsPerTick != 0)
        {
            throw new InvalidDataException("its version's time is finer than 100 ns");
        }

        var version = new VersionRecord(
            message.Site,
            Decode(message.Id),
            Decode(message.Parent),
            DateTimeOffset.UnixEpoch.AddTicks(message.TimeUnixNs / NanosecondsPerTick),
            message.Origin,
            PackRecords.DecodeHash(message.Root, "its version's root"),
            (long)message.Entries,
            (long)message.Bytes,
            [.. message.Dumps],
            PackRecords.DecodeHash(message.Chain, "its version's chain hash"));
        if (version.Chain.IsNone)
        {
            throw new InvalidDataException("its version has no chain hash");
        }

        return Fault(version) is { } fault ? throw new InvalidDataException(fault) : version;
    }

    private static string? Fault(VersionRecord version)
    {
        if (Encoding.UTF8.GetByteCount(version.Site) is 0 or > MaxNameBytes)
        {
            return $"its version's site has a name without 1 to {MaxNameBytes} bytes";
        }

        if (version.Id.IsNone)
        {
            return "its version has no number";
        }

        if (version.Parent >= version.Id)
        {
            return $"its version {version.Id} names {version.Parent}, which is not older, as its parent";
        }

        if (version.Root.IsNone)
        {
            return "its version has no root hash";
        }

        if (version.Entries < 0 || version.Bytes < 0)
        {
            return $"its version counts {version.Entries} entries and {version.Bytes} bytes";
        }

        var tooLong = Encoding.UTF8.GetByteCount(version.Origin) > MaxNameBytes
            || version.Dumps.Count > MaxDumps
            || version.Dumps.Any(dump => Encoding.UTF8.GetByteCount(dump) > MaxNameBytes);
        return tooLong
            ? $"its version's origin or a dump label is longer than {MaxNameBytes} bytes, or there are more than {MaxDumps} dumps"
            : FaultOf(version.Id) ?? FaultOf(version.Parent);
    }

    // What keeps versions cannot count further (SQLite's integers are signed).
    private static string? FaultOf(VersionId id) =>
        id.Epoch > long.MaxValue || id.Sequence > long.MaxValue ? $"the version {id} is beyond what can be counted" : null;
}
