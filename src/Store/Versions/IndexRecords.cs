using Google.Protobuf;
using Mirror.Store.Manifests;
using Mirror.Store.Records;

namespace Mirror.Store.Versions;

/// <summary>The index keeps entries and versions as the same records that packs do.</summary>
internal static class IndexRecords
{
    public static byte[] Bytes(Entry entry) => EntryRecords.Encode(entry).ToByteArray();

    public static byte[] Bytes(VersionRecord version) => VersionRecords.Encode(version).ToByteArray();

    /// <summary>Of the head's manifest, whose root is compared when the index is opened.</summary>
    /// <exception cref="InvalidDataException"/>
    public static Entry ParseEntry(byte[] bytes, HashSet<string>? names = null) => EntryRecords.DecodeKnown(Parse(EntryMessage.Parser, bytes), names);

    /// <exception cref="InvalidDataException"/>
    public static VersionRecord ParseVersion(byte[] bytes) => VersionRecords.Decode(Parse(VersionRecordMessage.Parser, bytes));

    // The library's exception derives from IOException, and would pass for a disk that cannot be read.
    private static T Parse<T>(MessageParser<T> parser, byte[] bytes)
        where T : IMessage<T>
    {
        try
        {
            return parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException malformed)
        {
            throw new InvalidDataException($"a record of the index cannot be parsed ({malformed.Message})", malformed);
        }
    }
}
