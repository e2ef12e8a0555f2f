using CsCheck;
using Mirror.Node.Configuration;
using static Mirror.Node.Tests.Configuration.Sample;

namespace Mirror.Node.Tests.Configuration;

public sealed class ConfigWriterTests
{
    [Fact]
    public void The_example_survives_being_written_and_read()
    {
        var config = ConfigFile.Load(Sample.Path, null, NoEnvironment);
        Assert.Equal(Fingerprint(config), Fingerprint(Parse(ConfigWriter.Write(config))));
    }

    [Fact]
    public void What_the_example_only_mentions_survives_too()
    {
        var text = Good.Replace("root: /srv/wiki", "root: /srv/wiki\n      marker: .mounted\n      read-from: /run/{node}/wiki", StringComparison.Ordinal)
            + "\n    hooks: { before: [snapshot], after: [remove, snapshot] }";
        var config = Parse(text);
        Assert.Equal("/run/{node}/wiki", config.Sites["wiki"].Files.ReadFrom);
        Assert.Equal(Fingerprint(config), Fingerprint(Parse(ConfigWriter.Write(config))));
    }

    [Fact]
    public void Any_text_survives_being_written_and_read()
    {
        var config = Parse(Good);
        Gen.String.Where(text => text.Length > 0 && !text.Contains('\0') && text.All(c => !char.IsSurrogate(c))).List[1, 4].Sample(texts =>
        {
            var site = config.Sites["wiki"];
            var app = site.Apps[0] with
            {
                Command = ["run", .. texts.Select(text => text.Replace("{database:", "", StringComparison.Ordinal))],
                Environment = new Dictionary<string, string> { ["PORT"] = "{port}", ["X"] = texts[0] },
            };
            var changed = config with { Sites = new Dictionary<string, SiteConfig> { ["wiki"] = site with { Apps = [app] } } };
            Assert.Equal(Fingerprint(changed), Fingerprint(Parse(ConfigWriter.Write(changed))));
        }, iter: 500);
    }

    [Theory]
    [InlineData("200ms", 200)]
    [InlineData("4s", 4_000)]
    [InlineData("1m30s", 90_000)]
    [InlineData("1.5s", 1_500)]
    [InlineData("0s", 0)]
    [InlineData("7d", 604_800_000)]
    [InlineData("73709551m30s", 4_422_573_090_000)]
    public void Durations_are_read_and_written(string text, long milliseconds)
    {
        Assert.True(Durations.TryParse(text, out var duration));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), duration);
        Assert.True(Durations.TryParse(Durations.Format(duration), out var again));
        Assert.Equal(duration, again);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("s")]
    [InlineData("-5s")]
    [InlineData("5 s")]
    [InlineData("5 minutes")]
    [InlineData("1.2.3s")]
    [InlineData("99999999999d")]
    public void What_is_no_duration_is_refused(string text) => Assert.False(Durations.TryParse(text, out _));
}
