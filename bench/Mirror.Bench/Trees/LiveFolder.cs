using Mirror.Bench.Measuring;
using Mirror.Bench.Workloads;

namespace Mirror.Bench.Trees;

/// <summary>
/// The folder that tools take versions of. Versions are laid over it in turn as a site changes: what did not change is not touched, so its times and inodes stay, and the rename of
/// a folder is one.
/// </summary>
internal static class LiveFolder
{
    public static void Lay(string version, string live)
    {
        Directory.CreateDirectory(live);
        var (from, to) = (Path.Combine(live, SourceTree.RenamedFrom), Path.Combine(live, SourceTree.RenamedTo));
        if (Directory.Exists(Path.Combine(version, SourceTree.RenamedTo)) && Directory.Exists(from) && !Directory.Exists(to))
        {
            Directory.Move(from, to);
        }

        foreach (var file in Directory.GetFiles(live, "*", SearchOption.AllDirectories))
        {
            if (!File.Exists(Path.Combine(version, Path.GetRelativePath(live, file))))
            {
                File.Delete(file);
            }
        }

        foreach (var folder in Directory.GetDirectories(live, "*", SearchOption.AllDirectories).OrderByDescending(folder => folder.Length))
        {
            if (!Directory.Exists(Path.Combine(version, Path.GetRelativePath(live, folder))))
            {
                Directory.Delete(folder);
            }
        }

        foreach (var file in new DirectoryInfo(version).EnumerateFiles("*", SearchOption.AllDirectories))
        {
            var place = new FileInfo(Path.Combine(live, Path.GetRelativePath(version, file.FullName)));
            if (!place.Exists || place.Length != file.Length || place.LastWriteTimeUtc != file.LastWriteTimeUtc)
            {
                place.Directory!.Create();
                file.CopyTo(place.FullName, overwrite: true);
                File.SetLastWriteTimeUtc(place.FullName, file.LastWriteTimeUtc);
            }
        }

        if (Files.FirstDifference(version, live) is { } different)
        {
            throw new BenchException($"{live} could not be made like {version}: {different} differs. Nothing else may write there while this runs.");
        }
    }
}
