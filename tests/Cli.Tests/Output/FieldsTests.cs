using Mirror.Cli.Output;

namespace Mirror.Cli.Tests.Output;

public sealed class FieldsTests
{
    private enum Colour
    {
        DarkRed,
    }

    [Fact]
    public void Every_kind_of_value_is_written_in_the_order_given()
    {
        var fields = new Fields
        {
            ["text"] = "<a> \"quoted\" ä\n", ["truth"] = true, ["int"] = -1, ["uint"] = uint.MaxValue, ["long"] = long.MinValue, ["ulong"] = ulong.MaxValue, ["double"] = 0.5,
            ["named"] = Colour.DarkRed, ["inner"] = new Fields { ["a"] = 1 }, ["counts"] = new Dictionary<string, int> { ["Kept as is"] = 2 },
            ["list"] = new object?[] { "x", 1, null, new Fields() }, ["none"] = Array.Empty<string>(),
        };

        Assert.Equal(
            """{"text":"<a> \"quoted\" ä\n","truth":true,"int":-1,"uint":4294967295,"long":-9223372036854775808,"ulong":18446744073709551615,"double":0.5,"named":"dark_red",""" +
            """ "inner":{"a":1},"counts":{"Kept as is":2},"list":["x",1,null,{}],"none":[]}""".TrimStart(),
            fields.ToString());
    }

    [Fact]
    public void What_is_null_is_left_out() => Assert.Equal("""{"there":0}""", new Fields { ["absent"] = null, ["there"] = 0, ["gone"] = (long?)null }.ToString());

    [Fact]
    public void What_cannot_be_printed_is_a_bug_and_shows() => Assert.Throws<NotSupportedException>(() => new Fields { ["when"] = DateTimeOffset.UnixEpoch }.ToString());
}
