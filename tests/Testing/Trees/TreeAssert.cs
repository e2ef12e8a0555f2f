using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Xunit;

namespace Mirror.Testing.Trees;

/// <summary>Compares trees completely and says path by path in what they differ.</summary>
public static class TreeAssert
{
    private const int Shown = 40;

    public static void Same(TreeLiteral expected, TreeLiteral actual)
    {
        var differences = Differences(expected, actual).ToList();
        if (differences.Count > 0)
        {
            Assert.Fail($"The trees differ in {differences.Count} places (expected, not actual):\n  " + string.Join("\n  ", differences.Take(Shown)));
        }
    }

    /// <summary>The directory holds exactly this tree.</summary>
    public static void Holds(TreeLiteral expected, string directory) => Same(expected, TreeLiteral.ReadFrom(directory));

    public static void SameDirectories(string expected, string actual) => Same(TreeLiteral.ReadFrom(expected), TreeLiteral.ReadFrom(actual));

    public static IEnumerable<string> Differences(TreeLiteral expected, TreeLiteral actual)
    {
        var left = expected.ToManifest();
        var right = actual.ToManifest();
        foreach (var path in left.Entries.Concat(right.Entries).Select(static entry => entry.Path).Distinct().Order())
        {
            var (wanted, found) = (left.Find(path), right.Find(path));
            if (wanted is null || found is null)
            {
                yield return wanted is null ? $"\"{path}\" ({found!.Type}) is too many" : $"\"{path}\" ({wanted.Type}) is missing";
            }
            else if (!wanted.Equals(found))
            {
                yield return $"\"{path}\": {string.Join("; ", EntryDifference.Between(wanted, found))}";
            }
            else if (!expected.Nodes[path].Content.AsSpan().SequenceEqual(actual.Nodes[path].Content))
            {
                yield return $"\"{path}\": other content under the same hash";
            }
        }
    }
}
