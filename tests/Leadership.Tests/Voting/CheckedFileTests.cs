using System.Text;
using CsCheck;
using Mirror.Leadership.Voting;

namespace Mirror.Leadership.Tests.Voting;

public sealed class CheckedFileTests : IDisposable
{
    private readonly Scratch scratch = new();

    public void Dispose() => scratch.Dispose();

    [Fact]
    public void What_was_written_is_read_and_the_temporary_file_is_gone()
    {
        var file = new CheckedFile(scratch.At("votes/wiki"), "test 1");
        Assert.Null(file.Read());

        file.Write("one");
        file.Write("two");

        Assert.Equal("two", file.Read());
        Assert.Equal("two", new CheckedFile(scratch.At("votes/wiki"), "test 1").Read());
        Assert.Single(Directory.GetFiles(scratch.At("votes")));
    }

    [Fact]
    public void A_temporary_file_left_by_a_crash_does_not_matter()
    {
        var file = new CheckedFile(scratch.At("votes/wiki"), "test 1");
        file.Write("one");
        File.WriteAllText(scratch.At("votes/wiki.new"), "half a li");

        Assert.Equal("one", file.Read());
        file.Write("two");
        Assert.Equal("two", file.Read());
    }

    [Fact]
    public void A_file_of_another_kind_is_damage()
    {
        new CheckedFile(scratch.At("votes/wiki"), "other 1").Write("one");

        Assert.Throws<DamagedFileException>(() => new CheckedFile(scratch.At("votes/wiki"), "test 1").Read());
    }

    [Fact]
    public void A_huge_file_is_damage_and_is_not_read()
    {
        Directory.CreateDirectory(scratch.At("votes"));
        using (var huge = File.Create(scratch.At("votes/wiki")))
        {
            huge.SetLength(1L << 40);
        }

        Assert.Contains("1099511627776", Assert.Throws<DamagedFileException>(() => new CheckedFile(scratch.At("votes/wiki"), "test 1").Read()).Message);
    }

    [Fact]
    public void Cut_short_or_with_any_bit_flipped_it_is_damage()
    {
        var path = scratch.At("votes/wiki");
        var file = new CheckedFile(path, "test 1");
        file.Write("{\"epoch\":3,\"holder\":\"a\"}");
        var good = File.ReadAllBytes(path);
        var changes = Gen.Select(Gen.Int[0, good.Length - 1], Gen.Int[0, 8]);
        changes.Sample(
            (place, bit) =>
            {
                byte[] bad = bit == 8 ? good[..place] : [.. good];
                if (bit < 8)
                {
                    bad[place] ^= (byte)(1 << bit);
                }

                File.WriteAllBytes(path, bad);
                // A flip may make bytes that are no UTF-8; those are read as something else, which the checksum sees.
                Assert.True(Throws(file), Encoding.UTF8.GetString(bad));
            },
            iter: 500, threads: 1);
    }

    private static bool Throws(CheckedFile file)
    {
        try
        {
            file.Read();
            return false;
        }
        catch (DamagedFileException)
        {
            return true;
        }
    }
}
