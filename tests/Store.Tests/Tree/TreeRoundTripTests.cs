using Mirror.Store.Manifests;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Tree;

public sealed class TreeRoundTripTests : IDisposable
{
    private readonly TemporaryDirectory temporary = new();

    public void Dispose() => temporary.Dispose();

    [Fact]
    public void A_tree_is_read_back_as_it_was_described()
    {
        var tree = TreeLiteral.Empty
            .File("index.html", "hello")
            .File("empty", "")
            .Directory("data", "0700")
            .File("data/a", "a")
            .File("data-b", "sorts after data/a")
            .Symlink("latest", "data/a")
            .Symlink("dangling", "/nowhere/at all")
            .Hardlink("copy.html", "index.html")
            .Fifo("pipe", "0600")
            .File("set-uid", "x", "6755")
            .Directory("sticky", "1777")
            .Xattr("data", "user.colour", "blue")
            .Xattr("empty", "user.b", "2")
            .Xattr("empty", "user.a", "");

        tree.WriteTo(temporary["tree"]);

        TreeAssert.Holds(tree, temporary["tree"]);
        Assert.Equal(EntryPath.Parse("copy.html"), TreeLiteral.ReadFrom(temporary["tree"]).ToManifest().Find(EntryPath.Parse("index.html"))!.HardlinkOf);
    }
}
