using CsCheck;
using Google.Protobuf;
using Mirror.Store.Manifests;
using Mirror.Store.Records;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Manifests;

public sealed class EntryRecordsTests
{
    [Fact]
    public void Every_entry_comes_back_from_its_bytes() => TreeGen.Tree.Sample(
        tree =>
        {
            foreach (var entry in tree.ToManifest().Entries)
            {
                Assert.Equal(entry, EntryRecords.Decode(EntryMessage.Parser.ParseFrom(EntryRecords.Encode(entry).ToByteArray())));
            }
        },
        iter: 100, threads: 1);

    [Fact]
    public void A_device_comes_back_from_its_bytes()
    {
        var device = new Entry { Path = EntryPath.Parse("d"), Type = EntryType.BlockDevice, Mode = 0, DeviceMajor = 4095, DeviceMinor = uint.MaxValue };

        Assert.Equal(device, EntryRecords.Decode(EntryRecords.Encode(device)));
    }

    public static TheoryData<string> Wrongs => [.. wrongs.Keys];

    [Theory]
    [MemberData(nameof(Wrongs))]
    public void What_no_entry_can_say_is_refused(string what)
    {
        var message = EntryRecords.Encode(new Entry
        {
            Path = EntryPath.Parse("dir/file"), Type = EntryType.File, Mode = 0x1a4, Size = 1, Hash = new ContentHash(1, 2, 3, 4), Xattrs = [new Xattr("user.a", [1])],
        });
        Assert.Equal(EntryType.File, EntryRecords.Decode(message).Type);

        wrongs[what](message);

        Assert.Throws<InvalidDataException>(() => EntryRecords.Decode(message));
    }

    [Fact]
    public void Bytes_that_are_no_record_are_refused_as_data_not_as_a_disk_that_cannot_be_read()
    {
        byte[] cut = [0x0A, 0x05, (byte)'a'];
        Assert.Throws<InvalidDataException>(() => IndexRecords.ParseEntry(cut));
        Assert.Throws<InvalidDataException>(() => IndexRecords.ParseVersion(cut));
    }

    [Fact]
    public void A_field_of_a_later_format_is_refused()
    {
        var bytes = EntryRecords.Encode(new Entry { Path = EntryPath.Parse("d"), Type = EntryType.Directory, Mode = 0 }).ToByteArray();
        var later = EntryMessage.Parser.ParseFrom([.. bytes, 0x98, 0x06, 0x01]);

        Assert.Contains("does not know", Assert.Throws<InvalidDataException>(() => EntryRecords.Decode(later)).Message, StringComparison.Ordinal);
    }

    private static readonly Dictionary<string, Action<EntryMessage>> wrongs = new()
    {
        ["absolute path"] = static message => message.Path = ByteString.CopyFromUtf8("/etc/passwd"),
        ["path that leaves the root"] = static message => message.Path = ByteString.CopyFromUtf8("a/../../b"),
        ["path with a NUL"] = static message => message.Path = ByteString.CopyFromUtf8("a\0b"),
        ["path that is too long"] = static message => message.Path = ByteString.CopyFromUtf8(new string('a', 256)),
        ["a file as the root"] = static message => message.Path = ByteString.Empty,
        ["no type"] = static message => message.Type = 0,
        ["unknown type"] = static message => message.Type = 7,
        ["type that wraps round"] = static message => message.Type = 0x8000_0001,
        ["mode with type bits"] = static message => message.Mode = 0x81a4,
        ["endless size"] = static message => message.Size = ulong.MaxValue,
        ["file without a hash"] = static message => message.Sha256 = ByteString.Empty,
        ["hash of zeros"] = static message => message.Sha256 = ByteString.CopyFrom(new byte[32]),
        ["short hash"] = static message => message.Sha256 = ByteString.CopyFrom(1, 2, 3),
        ["directory with a hash"] = static message => (message.Type, message.Size) = (2, 0),
        ["directory with a size"] = static message => (message.Type, message.Sha256) = (2, ByteString.Empty),
        ["file with a link target"] = static message => message.LinkTarget = ByteString.CopyFromUtf8("x"),
        ["link without a target"] = static message => (message.Type, message.Size, message.Sha256) = (3, 0, ByteString.Empty),
        ["link target with a NUL"] = static message =>
            (message.Type, message.Size, message.Sha256, message.LinkTarget) = (3, 0, ByteString.Empty, ByteString.CopyFromUtf8("a\0")),
        ["link target too long"] = static message =>
            (message.Type, message.Size, message.Sha256, message.LinkTarget) = (3, 0, ByteString.Empty, ByteString.CopyFrom(new byte[5000])),
        ["file with a device number"] = static message => message.DeviceMinor = 1,
        ["pipe marked sparse"] = static message => (message.Type, message.Size, message.Sha256, message.Sparse) = (4, 0, ByteString.Empty, true),
        ["hard link outside"] = static message => message.HardlinkOf = ByteString.CopyFromUtf8("../x"),
        ["hard link to itself"] = static message => message.HardlinkOf = message.Path,
        ["hard link to a later path"] = static message => message.HardlinkOf = ByteString.CopyFromUtf8("z"),
        ["long owner"] = static message => message.Owner = new string('o', 300),
        ["group with a NUL"] = static message => message.Group = "g\0",
        ["attribute without a name"] = static message => message.Xattrs[0].Name = ByteString.Empty,
        ["attribute that is not kept"] = static message => message.Xattrs[0].Name = ByteString.CopyFromUtf8("security.selinux"),
        ["attribute with a NUL"] = static message => message.Xattrs[0].Name = ByteString.CopyFromUtf8("user.a\0b"),
        ["attribute that is not UTF-8"] = static message => message.Xattrs[0].Name = ByteString.CopyFrom([.. "user."u8, 0xff]),
        ["attribute name too long"] = static message => message.Xattrs[0].Name = ByteString.CopyFromUtf8("user." + new string('a', 251)),
        ["huge attribute"] = static message => message.Xattrs[0].Value = ByteString.CopyFrom(new byte[65537]),
        ["attribute twice"] = static message => message.Xattrs.Add(message.Xattrs[0].Clone()),
        ["attributes out of order"] = static message => message.Xattrs.Insert(0, new XattrRecord { Name = ByteString.CopyFromUtf8("user.b") }),
        ["too many attributes"] = static message => message.Xattrs.Add(Enumerable.Range(0, 16384).Select(static number => new XattrRecord { Name = ByteString.CopyFromUtf8($"user.b{number:d5}") })),
    };
}
