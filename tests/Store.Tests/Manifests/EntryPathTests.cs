using CsCheck;
using Mirror.Store.Manifests;

namespace Mirror.Store.Tests.Manifests;

public sealed class EntryPathTests
{
    private static readonly Gen<byte[][]> components = Gen.Byte.Where(static value => value is not (0 or (byte)'/' or (byte)'.')).Array[1, 3].Array[0, 4];

    [Fact]
    public void Paths_are_ordered_name_by_name() => Gen.Select(components, components).Sample(
        (left, right) => Math.Sign(Joined(left).CompareTo(Joined(right))) == Math.Sign(Compare(left, right)), iter: 20_000);

    [Fact]
    public void A_path_is_within_what_its_first_names_make() => Gen.Select(components, components).Sample(
        (left, right) => Joined(left).IsWithin(Joined(right)) == (left.Length >= right.Length && Compare(left[..right.Length], right) == 0), iter: 20_000);

    [Fact]
    public void A_path_is_its_parent_and_its_name() => components.Where(static names => names.Length > 0).Sample(
        static names => Joined(names).Parent == Joined(names[..^1]) && Joined(names).Name.SequenceEqual(names[^1])
            && Joined(names).Parent.Append(names[^1]) == Joined(names), iter: 5_000);

    [Theory]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a/..")]
    [InlineData("../a")]
    [InlineData("a/./b")]
    [InlineData("a\0")]
    public void What_could_leave_the_root_is_no_path(string text) => Assert.Throws<InvalidDataException>(() => EntryPath.Parse(text));

    [Fact]
    public void Control_characters_and_bytes_that_are_no_text_are_shown_as_digits() =>
        Assert.Equal("ü\\x0a\\xff", EntryPath.Parse([.. "ü\n"u8, 0xff]).ToString());

    private static EntryPath Joined(byte[][] names) => names.Aggregate(EntryPath.Root, static (path, name) => path.Append(name));

    private static int Compare(byte[][] left, byte[][] right)
    {
        for (var at = 0; at < Math.Min(left.Length, right.Length); at++)
        {
            if (left[at].AsSpan().SequenceCompareTo(right[at]) is not 0 and var order)
            {
                return order;
            }
        }

        return left.Length.CompareTo(right.Length);
    }
}
