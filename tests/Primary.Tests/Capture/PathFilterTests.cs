using Mirror.Primary.Capture;
using Mirror.Store.Manifests;

namespace Mirror.Primary.Tests.Capture;

public sealed class PathFilterTests
{
    [Theory]
    [InlineData("cache/**", "cache/a", true)]
    [InlineData("cache/**", "cache/a/b/c", true)]
    [InlineData("cache/**", "cache", false)]
    [InlineData("cache/**", "other/cache/a", false)]
    [InlineData("cache", "cache", true)]
    [InlineData("cache", "a/cache", true)]
    [InlineData("cache", "a/cache/below", true)]
    [InlineData("/cache", "cache", true)]
    [InlineData("/cache", "a/cache", false)]
    [InlineData("cache/", "cache", false)]
    [InlineData("cache/", "a/cache/below", true)]
    [InlineData("*.tmp", "a.tmp", true)]
    [InlineData("*.tmp", ".tmp", true)]
    [InlineData("*.tmp", "a.tmp.keep", false)]
    [InlineData("*.tmp", "sub/a.tmp", true)]
    [InlineData("/*.tmp", "sub/a.tmp", false)]
    [InlineData("**/*.tmp", "sub/sub/a.tmp", true)]
    [InlineData("**/*.tmp", "a.tmp", true)]
    [InlineData("**/x", "x", true)]
    [InlineData("**/x", "a/b/x", true)]
    [InlineData("**/x", "a/xx", false)]
    [InlineData("a/**/z", "a/z", true)]
    [InlineData("a/**/z", "a/b/c/z", true)]
    [InlineData("a/**/z", "b/z", false)]
    [InlineData("a/**/b/**/c", "a/1/b/2/3/c", true)]
    [InlineData("a/**/b/**/c", "a/1/2/3/c", false)]
    [InlineData("?.log", "1.log", true)]
    [InlineData("?.log", "10.log", false)]
    [InlineData("a*b*c", "aXbXbXc", true)]
    [InlineData("a*b*c", "aXbXbX", false)]
    [InlineData("**", "anything/at/all", true)]
    [InlineData("a/**/**", "a", false)]
    [InlineData("a/**/**", "a/b", true)]
    [InlineData("**/a/**", "a", false)]
    [InlineData("**/a/**", "x/a/y/z", true)]
    [InlineData("**/a/b", "a/a/c/a/b", true)]
    [InlineData("[a-c]x", "bx", true)]
    [InlineData("[!a-c]x", "bx", false)]
    [InlineData("\\[a]", "[a]", true)]
    [InlineData("[]-]", "]", true)]
    [InlineData("[a", "[a", false)]
    [InlineData("\\#a", "#a", true)]
    [InlineData("\\!a", "!a", true)]
    [InlineData("#a", "#a", false)]
    [InlineData("a ", "a", true)]
    [InlineData("a\\ ", "a ", true)]
    [InlineData("a b", "a b", true)]
    public void Patterns_mean_what_they_mean_to_git(string pattern, string path, bool excluded) =>
        Assert.Equal(excluded, new PathFilter([], [pattern]).Excludes(EntryPath.Parse(path), EntryType.File));

    [Theory]
    [InlineData("*.log, !keep.log", "keep.log", false)]
    [InlineData("*.log, !keep.log", "a/keep.log", false)]
    [InlineData("!keep.log, *.log", "keep.log", true)]
    [InlineData("cache/, !cache/keep", "cache/keep", true)]
    [InlineData("cache/*, !cache/keep", "cache/keep", false)]
    [InlineData("/*, !/wiki, /wiki/*, !/wiki/data", "wiki/data/x", false)]
    [InlineData("/*, !/wiki, /wiki/*, !/wiki/data", "wiki/other/x", true)]
    public void The_last_pattern_decides_and_nothing_comes_back_from_a_directory_that_is_left_out(string patterns, string path, bool excluded) =>
        Assert.Equal(excluded, new PathFilter([], patterns.Split(", ")).Excludes(EntryPath.Parse(path), EntryType.File));

    [Fact]
    public void It_says_which_pattern_decided_and_on_which_path()
    {
        var filter = new PathFilter(["data/site.db"], ["*.log", "!keep.log", "cache/"]);
        Assert.Equal(new FilterDecision(false, EntryPath.Parse("a/keep.log"), false, 1), filter.Explain(EntryPath.Parse("a/keep.log"), EntryType.File));
        Assert.Equal(new FilterDecision(true, EntryPath.Parse("x/cache"), false, 2), filter.Explain(EntryPath.Parse("x/cache/keep.log"), EntryType.File));
        Assert.Equal(new FilterDecision(true, EntryPath.Parse("data/site.db"), true, null), filter.Explain(EntryPath.Parse("data/site.db"), EntryType.File));
        Assert.Equal(new FilterDecision(false, EntryPath.Parse("index"), false, null), filter.Explain(EntryPath.Parse("index"), EntryType.File));
        Assert.Equal([0, 2], new PathFilter([], ["[a", "a", "# remark"]).MatchNothing);
    }

    [Fact]
    public void Who_comes_from_above_gets_the_same_answer()
    {
        var filter = new PathFilter([], ["/*", "!/a", "/a/*", "!/a/b/", "*.tmp"]);
        foreach (var (path, type, excluded) in new[]
        {
            ("a", EntryType.Directory, false), ("c", EntryType.Directory, true), ("a/b", EntryType.Directory, false), ("a/b", EntryType.File, true), ("a/b/x", EntryType.File, false), ("a/b/x.tmp", EntryType.File, true),
        })
        {
            Assert.Equal(excluded, filter.ExcludesHere(EntryPath.Parse(path), type));
            Assert.Equal(excluded, filter.Excludes(EntryPath.Parse(path), type));
        }
    }

    [Fact]
    public void A_deep_path_and_many_stars_take_no_time()
    {
        // Tried every way, this would not end in a lifetime.
        var filter = new PathFilter([], [string.Concat(Enumerable.Repeat("**/a/", 30)) + "b", string.Concat(Enumerable.Repeat("a*", 60)) + "b"]);
        Assert.False(filter.Excludes(EntryPath.Parse(string.Join('/', Enumerable.Repeat("a", 2000))), EntryType.File));
        Assert.False(filter.Excludes(EntryPath.Parse(new string('a', 255)), EntryType.File));
        Assert.True(filter.Excludes(EntryPath.Parse(string.Join('/', Enumerable.Repeat("a", 2000)) + "/b"), EntryType.File));
    }

    [Fact]
    public void Names_that_are_no_text_are_matched_byte_by_byte()
    {
        var filter = new PathFilter([], ["up/*.part"]);
        Assert.True(filter.Excludes(EntryPath.Parse([.. "up/"u8, 0xff, 0xfe, (byte)'\n', .. ".part"u8]), EntryType.File));
        Assert.False(filter.Excludes(EntryPath.Parse([.. "up/"u8, 0xff, .. ".par"u8]), EntryType.File));
    }

    [Fact]
    public void The_root_is_never_left_out() => Assert.False(new PathFilter([], ["**", "*"]).Excludes(EntryPath.Root, EntryType.Directory));

    [Fact]
    public void Private_paths_are_exact()
    {
        var filter = new PathFilter(["data/site.db"], []);
        Assert.True(filter.Excludes(EntryPath.Parse("data/site.db"), EntryType.File));
        Assert.True(filter.IsPrivate(EntryPath.Parse("data/site.db")));
        Assert.False(filter.Excludes(EntryPath.Parse("data/site.db2"), EntryType.File));
        Assert.False(filter.Excludes(EntryPath.Parse("site.db"), EntryType.File));
    }

    [Fact]
    public void A_long_name_against_many_stars_is_soon_decided()
    {
        var pattern = string.Concat(Enumerable.Repeat("*a", 60)) + "b";
        Assert.False(new PathFilter([], [pattern]).Excludes(EntryPath.Parse(new string('a', EntryPath.MaxNameLength)), EntryType.File));
    }
}
