using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Testing;

/// <summary>A new directory that goes, with all in it (names that are not UTF-8 included), when the test ends. All lie on one file system.</summary>
public sealed class TemporaryDirectory : IDisposable
{
    public TemporaryDirectory() => Path = Directory.CreateTempSubdirectory("mirror-test-").FullName;

    public string Path { get; }

    /// <summary>A path inside; nothing is made.</summary>
    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>A new directory inside.</summary>
    public string Make(string name) => Directory.CreateDirectory(this[name]).FullName;

    public void Dispose()
    {
        // The scanner shows every name at the top to the filter; refusing all of them makes it a listing.
        var tops = new List<EntryPath>();
        var scan = TreeScanner.Scan(Path, (path, _) =>
        {
            tops.Add(path);
            return true;
        }, CancellationToken.None);
        using (var writer = new TreeWriter(Path))
        {
            foreach (var path in tops.Concat(scan.Skipped.Select(static skipped => skipped.Path)))
            {
                writer.Remove(path);
            }
        }

        Directory.Delete(Path);
    }
}
