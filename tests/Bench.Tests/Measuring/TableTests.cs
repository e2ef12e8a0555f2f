using Mirror.Bench.Measuring;

namespace Mirror.Bench.Tests.Measuring;

public sealed class TableTests
{
    [Fact]
    public void A_table_is_markdown()
    {
        var table = new Table("tool", "s");
        table.Add("one", "1.00");

        Assert.Equal("| tool | s |\n| --- | ---: |\n| one | 1.00 |\n", table.ToString());
    }

    [Theory]
    [InlineData(999L, "999 B")]
    [InlineData(2048L, "2.00 K")]
    [InlineData(204_800L, "0.20 M")]
    [InlineData(3L << 30, "3.00 G")]
    [InlineData(-2048L, "−2.00 K")]
    public void Bytes_are_written_with_three_digits_that_count(long bytes, string expected) => Assert.Equal(expected, Table.Bytes(bytes));
}
