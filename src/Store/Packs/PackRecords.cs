using System.Buffers;
using System.Text;
using Google.Protobuf;
using Mirror.Store.Manifests;
using Mirror.Store.Records;
using Mirror.Store.Versions;

namespace Mirror.Store.Packs;

/// <summary>
/// Records between bytes and meaning. A record is accepted only in the one encoding this program would give it itself: so unknown fields are refused at any depth,
/// and a record has one meaning.
/// </summary>
internal static class PackRecords
{
    public static readonly MessageParser<PackHeaderRecord> Header = PackHeaderRecord.Parser.WithDiscardUnknownFields(true);
    public static readonly MessageParser<ChangesRecord> Changes = ChangesRecord.Parser.WithDiscardUnknownFields(true);
    public static readonly MessageParser<PackIndexRecord> Index = PackIndexRecord.Parser.WithDiscardUnknownFields(true);

    /// <param name="parser">One that discards unknown fields: what it drops is missed in the comparison.</param>
    /// <exception cref="InvalidDataException">Not such a record, or one with more in it than this program knows.</exception>
    public static T Parse<T>(MessageParser<T> parser, ReadOnlySpan<byte> bytes)
        where T : IMessage<T>
    {
        T message;
        try
        {
            message = parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidDataException($"a record cannot be parsed ({e.Message})", e);
        }

        var size = message.CalculateSize();
        var again = ArrayPool<byte>.Shared.Rent(size);
        try
        {
            message.WriteTo(again.AsSpan(0, size));
            return bytes.SequenceEqual(again.AsSpan(0, size))
                ? message
                : throw new InvalidDataException("a record has fields, or an encoding, this Mirror does not know; was it made by a newer one?");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(again);
        }
    }

    /// <summary>Bytes an element adds to a record whose repeated field has a number below 16.</summary>
    public static int CostOf(IMessage element) => CostOf(element.CalculateSize());

    public static int CostOf(int length) => 1 + CodedOutputStream.ComputeLengthSize(length) + length;

    public static PackHeaderRecord Encode(PackHeader header)
    {
        if (Fault(header) is { } fault)
        {
            throw new ArgumentException($"This pack header cannot be written: {fault}.", nameof(header));
        }

        return new PackHeaderRecord
        {
            Site = header.Site,
            From = VersionRecords.Encode(header.From),
            FromRoot = Encode(header.FromRoot),
            To = VersionRecords.Encode(header.To),
            Partial = header.Partial,
        };
    }

    /// <exception cref="InvalidDataException"/>
    public static PackHeader Decode(PackHeaderRecord record)
    {
        var header = new PackHeader(
            record.Site, VersionRecords.Decode(record.From), DecodeHash(record.FromRoot, "from_root"), VersionRecords.Decode(record.To), record.Partial);
        return Fault(header) is { } fault ? throw new InvalidDataException(fault) : header;
    }

    /// <summary>None is an absent field.</summary>
    public static ByteString Encode(ContentHash hash) => hash.IsNone ? ByteString.Empty : UnsafeByteOperations.UnsafeWrap(hash.ToArray());

    /// <exception cref="InvalidDataException">Present, and no SHA-256 or all zeros.</exception>
    public static ContentHash DecodeHash(ByteString bytes, string field)
    {
        if (bytes.IsEmpty)
        {
            return default;
        }

        if (bytes.Length != ContentHash.Length)
        {
            throw new InvalidDataException($"{field} has {bytes.Length} bytes; a SHA-256 has {ContentHash.Length}");
        }

        var hash = ContentHash.From(bytes.Span);
        return hash.IsNone ? throw new InvalidDataException($"{field} is all zeros") : hash;
    }

    private static string? Fault(PackHeader header)
    {
        if (Encoding.UTF8.GetByteCount(header.Site) is 0 or > VersionRecords.MaxNameBytes)
        {
            return $"its site's name does not have 1 to {VersionRecords.MaxNameBytes} bytes";
        }

        if (header.To.IsNone)
        {
            return "it leads to no version";
        }

        if (header.From == header.To)
        {
            return $"it leads from {header.From} to itself";
        }

        return header.From.IsNone == header.FromRoot.IsNone ? null : "it has one of a version to start from and that version's root, not both";
    }
}
