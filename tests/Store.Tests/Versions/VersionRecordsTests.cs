using Mirror.Store.Manifests;
using Mirror.Store.Tests.Packs;
using Mirror.Store.Versions;

namespace Mirror.Store.Tests.Versions;

public sealed class VersionRecordsTests
{
    [Fact]
    public void A_record_reads_back_as_it_was_written()
    {
        var version = PackSamples.Version();
        var first = version with { Parent = default, Dumps = [], Time = DateTimeOffset.UnixEpoch.AddTicks(-1), Origin = "" };

        Assert.Equal(version, VersionRecords.Decode(VersionRecords.Encode(version)));
        Assert.Equal(first, VersionRecords.Decode(VersionRecords.Encode(first)));
    }

    [Fact]
    public void The_chain_hash_depends_on_the_parents_and_on_every_word_but_itself()
    {
        var version = PackSamples.Version();
        var parent = PackSamples.Hash("parent");
        var chain = VersionRecord.ChainOf(parent, version);
        VersionRecord[] others =
        [
            version with { Site = "other" }, version with { Id = new VersionId(1, 3) }, version with { Parent = default },
            version with { Time = version.Time.AddTicks(1) }, version with { Origin = "node-2" }, version with { Root = PackSamples.Hash("x") },
            version with { Entries = 4 }, version with { Bytes = 4712 }, version with { Dumps = [] }, version with { Dumps = ["pages", "users"] },
        ];

        Assert.Equal(chain, VersionRecord.ChainOf(parent, version with { Chain = PackSamples.Hash("another") }));
        Assert.Equal(chain, VersionRecord.ChainOf(parent, version with { Time = version.Time.ToOffset(TimeSpan.FromHours(3)) }));
        Assert.DoesNotContain(chain, others.Select(other => VersionRecord.ChainOf(parent, other)));
        Assert.NotEqual(chain, VersionRecord.ChainOf(default, version));
    }

    // Stored chains must hold for ever: this value may only change together with the format.
    [Fact]
    public void The_chain_hash_of_a_known_record_is_what_it_always_was() =>
        Assert.Equal("24f199ec7c7481c41e819e8859bbf9f896253628636aa52bfd2f55be9934773c", VersionRecord.ChainOf(default, PackSamples.Version()).ToString());

    [Fact]
    public void A_record_that_cannot_be_is_not_written()
    {
        var version = PackSamples.Version();
        Assert.Throws<ArgumentException>(() => VersionRecords.Encode(version with { Root = default }));
        Assert.Throws<ArgumentException>(() => VersionRecords.Encode(version with { Chain = default }));
        Assert.Throws<ArgumentException>(() => VersionRecords.Encode(version with { Site = new string('x', 256) }));
        Assert.Throws<ArgumentException>(() => VersionRecords.Encode(version with { Parent = version.Id }));
        Assert.Throws<ArgumentException>(() => VersionRecords.Encode(version with { Id = new VersionId(ulong.MaxValue, 1) }));
        Assert.Throws<ArgumentException>(() => VersionRecords.Encode(version with { Dumps = [.. Enumerable.Repeat("x", 4097)] }));
    }
}
