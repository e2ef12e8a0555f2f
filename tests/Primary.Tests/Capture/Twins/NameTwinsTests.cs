using System.Text;
using Mirror.Primary.Capture.Twins;
using Mirror.Store.Manifests;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Capture.Twins;

public sealed class NameTwinsTests
{
    [Theory]
    [InlineData("Start", "sTART")]
    [InlineData("caf\u00e9", "cafe\u0301")]
    [InlineData("CAF\u00c9", "cafe\u0301")]
    [InlineData("\u1ec7", "e\u0323\u0302")]
    [InlineData("\ud55c\uae00", "\u1112\u1161\u11ab\u1100\u1173\u11af")]
    [InlineData("\u212bngstr\u00f6m", "\u00e5ngstro\u0308m")]
    [InlineData("\u03a3\u03a3", "\u03c3\u03c2")]
    public void Alike_but_for_case_or_form(string one, string other) => Assert.Equal(Fold(one), Fold(other));

    [Theory]
    [InlineData("cafe", "caf\u00e9")]
    [InlineData("a", "b")]
    [InlineData("stra\u00dfe", "strasse")]
    [InlineData("a ", "a")]
    public void Not_alike(string one, string other) => Assert.NotEqual(Fold(one), Fold(other));

    [Fact]
    public void What_is_no_text_has_no_twin() => Assert.Null(FoldedName.Of([0xff, (byte)'a']));

    [Fact]
    public async Task Twins_are_told_by_the_capture_that_brings_them_and_not_again()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty
            .File("README", "1").File("readme", "2").File("Readme", "3").File("pages/caf\u00e9", "4").File("pages/cafe\u0301", "5").File("other/readme", "6").Directory("Pages"));

        var first = await site.CaptureAsync();
        site.Write("index", "7");
        var second = await site.CaptureAsync();
        site.Write("pages/CAF\u00c9", "8");
        var third = await site.CaptureAsync();

        Assert.Equal(["Pages pages", "README Readme readme", "pages/cafe\u0301 pages/caf\u00e9"], Groups(first.Twins));
        Assert.Empty(second.Twins);
        Assert.Equal(["pages/CAF\u00c9 pages/cafe\u0301 pages/caf\u00e9"], Groups(third.Twins));
        Assert.Contains("README and Readme and readme", first.TwinsText, StringComparison.Ordinal);
    }

    private static string[] Groups(IEnumerable<IReadOnlyList<EntryPath>> twins) => [.. twins.Select(group => string.Join(' ', group))];

    private static string? Fold(string name) => FoldedName.Of(Encoding.UTF8.GetBytes(name));
}
