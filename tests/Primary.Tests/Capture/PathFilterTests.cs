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
    [InlineData("/cache/", "cache", true)]
    [InlineData("cache", "a/cache", false)]
    [InlineData("*.tmp", "a.tmp", true)]
    [InlineData("*.tmp", ".tmp", true)]
    [InlineData("*.tmp", "a.tmp.keep", false)]
    [InlineData("*.tmp", "sub/a.tmp", false)]
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
    [InlineData("[a]", "a", false)]
    [InlineData("[a]", "[a]", true)]
    public void Patterns_match_as_people_expect(string pattern, string path, bool excluded) =>
        Assert.Equal(excluded, new PathFilter([], [pattern]).Excludes(EntryPath.Parse(path), EntryType.File));

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
