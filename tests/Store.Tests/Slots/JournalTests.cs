using System.Security.Cryptography;
using System.Text;
using Mirror.Store.Slots;
using Mirror.Testing;

namespace Mirror.Store.Tests.Slots;

public sealed class JournalTests : IDisposable
{
    private const string Good = """{"Phase":"Applying","Operation":"00000000-0000-0000-0000-000000000001","Slot":"a","To":"1.2","Packs":["1.2-1.1.pack"],"Root":null}""";
    private readonly TemporaryDirectory directory = new();
    private readonly Journal journal;

    public JournalTests() => journal = new Journal(directory.Path, new StoreDisk());

    public void Dispose() => directory.Dispose();

    [Fact]
    public void What_was_written_is_read()
    {
        var entry = new JournalEntry(JournalPhase.Adopting, Guid.NewGuid(), "b", "1.2", ["1.1-1.2.pack"], "/srv/wiki");
        journal.Write(entry);
        var read = journal.Read();
        Assert.Equal(entry with { Packs = [] }, read! with { Packs = [] });
        Assert.Equal(entry.Packs, read.Packs);
        journal.Clear();
        Assert.Null(journal.Read());
    }

    [Fact]
    public void A_line_with_a_right_checksum_is_read()
    {
        Save(Good);
        Assert.Equal("a", journal.Read()!.Slot);
    }

    /// <summary>The checksum finds accidents. Whoever can write the file can write a checksum too, and still must not lead the store out of itself.</summary>
    [Theory]
    [InlineData("\"a\"", "\"../../etc\"")]
    [InlineData("\"a\"", "null")]
    [InlineData("1.2-1.1.pack", "../../../etc/passwd")]
    [InlineData("1.2-1.1.pack", "..")]
    [InlineData("[\"1.2-1.1.pack\"]", "null")]
    [InlineData("[\"1.2-1.1.pack\"]", "[null]")]
    [InlineData("Applying", "Adopting")]
    [InlineData("\"Applying\"", "77")]
    [InlineData("Slot", "Slit")]
    [InlineData("00000000-0000", "zzzz")]
    [InlineData("}", "")]
    public void What_no_store_does_is_damage(string was, string becomes)
    {
        Save(Good.Replace(was, becomes, StringComparison.Ordinal));
        Assert.Throws<JournalDamagedException>(journal.Read);
    }

    private void Save(string line) =>
        File.WriteAllText(journal.Path, $"{line}\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(line)))}\n");
}
