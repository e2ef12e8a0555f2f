using CsCheck;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests.Membership;

public sealed class HoldingTextTests
{
    private static readonly SiteHolding Whole = new(
        "wiki", "a", SiteRole.Primary, 3, V(3, 9), V(3, 8), V(3, 7), "http://10.0.0.1:20001", new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), "All is \"well\".", [1, 2, 3])
    {
        Base = V(2, 5),
        IsProtected = false,
        HeldBack = new(new(4, true, 2, "anna", "new kernel"), new DateTimeOffset(2026, 1, 2, 3, 5, 5, TimeSpan.Zero)),
    };

    [Fact]
    public void What_was_written_is_read()
    {
        var read = HoldingText.Read(HoldingText.Write(Whole), "wiki", "a");

        Assert.Equal(Whole.ProcessIds, read!.ProcessIds);
        Assert.Equal(Whole, read with { ProcessIds = Whole.ProcessIds });
        Assert.True(HoldingText.Write(Whole).Length < 450, HoldingText.Write(Whole));
    }

    [Fact]
    public void A_word_about_another_node_or_site_is_none()
    {
        Assert.Null(HoldingText.Read(HoldingText.Write(Whole), "wiki", "b"));
        Assert.Null(HoldingText.Read(HoldingText.Write(Whole), "shop", "a"));
    }

    [Fact]
    public void What_a_newer_member_adds_is_skipped()
    {
        var text = HoldingText.Write(Whole);

        Assert.NotNull(HoldingText.Read(text[..^1] + ",\"news\":{\"x\":[1]}}", "wiki", "a"));
    }

    [Fact]
    public void A_block_without_a_word_and_neither_are_read_as_such()
    {
        var blocked = Whole with { HeldBack = new(FailoverOrder.None, new DateTimeOffset(2026, 1, 2, 3, 5, 5, TimeSpan.Zero)) };
        Assert.Equal(blocked.HeldBack, HoldingText.Read(HoldingText.Write(blocked), "wiki", "a")!.HeldBack);
        Assert.Null(HoldingText.Read(HoldingText.Write(Whole with { HeldBack = new(FailoverOrder.None, null) }), "wiki", "a")!.HeldBack);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"site\":\"wiki\",\"node\":\"a\",\"role\":77,\"epoch\":1,\"stored\":[1,1],\"verified\":[1,1],\"warm\":[1,1],\"base\":[0,0]}")]
    [InlineData("{\"site\":\"wiki\",\"node\":\"a\",\"role\":1,\"epoch\":-1,\"stored\":[1,1],\"verified\":[1,1],\"warm\":[1,1],\"base\":[0,0]}")]
    [InlineData("{\"site\":\"wiki\",\"node\":\"a\",\"role\":1,\"epoch\":1,\"stored\":[1],\"verified\":[1,1],\"warm\":[1,1],\"base\":[0,0]}")]
    [InlineData("{\"site\":\"wiki\",\"node\":\"a\",\"role\":1,\"epoch\":1,\"stored\":[1,1],\"verified\":[1,1],\"warm\":[1,1],\"base\":[0,0],\"time\":9223372036854775807}")]
    public void Nonsense_is_no_holding(string text) => Assert.Null(HoldingText.Read(text, "wiki", "a"));

    [Fact]
    public void Garbled_text_never_throws()
    {
        var good = HoldingText.Write(Whole);
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Char, Gen.Bool).Sample((place, letter, cut) =>
        {
            _ = HoldingText.Read(cut ? good[..place] : good[..place] + letter + good[(place + 1)..], "wiki", "a");
        });
    }

    [Fact]
    public void Too_long_a_sentence_is_cut_and_too_long_a_text_is_refused()
    {
        var text = HoldingText.Write(Whole with { Sentence = new string('x', 100_000), ProcessIds = [.. Enumerable.Range(1, 10_000)] });

        Assert.True(text.Length < 2000);
        Assert.Null(HoldingText.Read(new string(' ', HoldingText.Longest) + text, "wiki", "a"));
    }
}
