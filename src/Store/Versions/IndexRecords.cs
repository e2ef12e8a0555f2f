using Google.Protobuf;
using Mirror.Store.Manifests;
using Mirror.Store.Records;

namespace Mirror.Store.Versions;

/// <summary>The index keeps entries and versions as the same records that packs do.</summary>
internal static class IndexRecords
{
    public static byte[] Bytes(Entry entry) => EntryRecords.Encode(entry).ToByteArray();

    public static byte[] Bytes(VersionRecord version) => VersionRecords.Encode(version).ToByteArray();

    public static Entry ParseEntry(byte[] bytes) => EntryRecords.Decode(EntryMessage.Parser.ParseFrom(bytes));

    public static VersionRecord ParseVersion(byte[] bytes) => VersionRecords.Decode(VersionRecordMessage.Parser.ParseFrom(bytes));
}
