using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Store.Tests.Tree;

public sealed class EntryDifferenceTests
{
    private static readonly Entry file = new()
    {
        Path = EntryPath.Parse("f"), Type = EntryType.File, Mode = 0x1a4, Size = 3, Hash = new ContentHash(1, 2, 3, 4), Uid = 1000, Owner = "ada", Xattrs = [new Xattr("user.a", [1])],
    };

    public static TheoryData<string> Changes => [.. changes.Keys];

    [Theory]
    [MemberData(nameof(Changes))]
    public void Entries_that_are_not_equal_differ_in_something(string what)
    {
        var other = changes[what](file);

        Assert.NotEqual(file, other);
        Assert.NotEmpty(EntryDifference.Between(file, other));
        Assert.NotEmpty(EntryDifference.Between(other, file));
        Assert.Empty(EntryDifference.Between(other, other));
    }

    [Fact]
    public void On_disk_numbers_give_way_to_names_and_what_only_a_capture_knows_is_left_out()
    {
        var found = file with { Uid = 5, Sparse = true, Unstable = true, Hash = default };

        Assert.Empty(EntryDifference.OnDisk(file, found));
        Assert.Equal(["owner 1000 ada, not 5 "], EntryDifference.OnDisk(file, found with { Owner = "" }));
        Assert.Single(EntryDifference.OnDisk(file, found with { Hash = new ContentHash(5, 6, 7, 8) }));
    }

    private static readonly Dictionary<string, Func<Entry, Entry>> changes = new()
    {
        ["type"] = static entry => entry with { Type = EntryType.Fifo },
        ["mode"] = static entry => entry with { Mode = 0 },
        ["uid"] = static entry => entry with { Uid = 1 },
        ["owner"] = static entry => entry with { Owner = "bob" },
        ["gid"] = static entry => entry with { Gid = 1 },
        ["group"] = static entry => entry with { Group = "g" },
        ["time"] = static entry => entry with { MtimeUnixNs = 1 },
        ["size"] = static entry => entry with { Size = 1 },
        ["content"] = static entry => entry with { Hash = new ContentHash(9, 9, 9, 9) },
        ["no hash"] = static entry => entry with { Hash = default },
        ["target"] = static entry => entry with { LinkTarget = [1] },
        ["device"] = static entry => entry with { DeviceMajor = 1 },
        ["hard link"] = static entry => entry with { HardlinkOf = EntryPath.Parse("e") },
        ["sparse"] = static entry => entry with { Sparse = true },
        ["unstable"] = static entry => entry with { Unstable = true },
        ["attribute value"] = static entry => entry with { Xattrs = [new Xattr("user.a", [2])] },
        ["another attribute"] = static entry => entry with { Xattrs = [.. entry.Xattrs, new Xattr("user.b", [2])] },
        ["no attribute"] = static entry => entry with { Xattrs = [] },
    };
}
