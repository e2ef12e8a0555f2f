using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Primary.Capture;

/// <summary>
/// The quickest answer a capture can give: the tree is, stat for stat, what the newest version was made of. Neither index nor manifest are read for it. Only a yes counts.
/// </summary>
public static class UnchangedTree
{
    /// <returns>The version that holds the tree as it is; null: find out by a capture.</returns>
    /// <param name="store">Directory of a store.</param>
    public static async Task<VersionRecord?> FindAsync(string store, string site, string tree, PathFilter filter, CancellationToken cancellation)
    {
        if (VersionStore.Glance(store, site) is not { } newest || SeenTree.Read(VersionStore.SeenTreeIn(store), NameOf(newest, tree, filter)) is not { } seen)
        {
            return null;
        }

        return await seen.IsStillSoAsync(tree, new CaptureSource(tree, null, filter).IsLeftOutHere, cancellation) ? newest : null;
    }

    /// <summary>What a <see cref="SeenTree"/> has to go by to be believed of this version, source and filter.</summary>
    public static string NameOf(VersionRecord version, string tree, PathFilter filter) => $"{version.Id}\n{version.Chain}\n{filter}\n{tree}";
}
