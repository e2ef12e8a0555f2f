using Mirror.Bench.Measuring;

namespace Mirror.Bench.Trees;

/// <summary>
/// The folder that tools take versions of. Versions are laid over it in turn as a site changes: what did not change is not touched, so its times and inodes stay, and a
/// rename is one.
/// </summary>
internal static class LiveFolder
{
    public static void Lay(string version, string live, (string From, string To)? renamed)
    {
        Directory.CreateDirectory(live);
        if (renamed is { } name && Path.Exists(Path.Combine(version, name.To)) && Path.Exists(Path.Combine(live, name.From)) && !Path.Exists(Path.Combine(live, name.To)))
        {
            FileSystemInfo moving = Directory.Exists(Path.Combine(live, name.From)) ? new DirectoryInfo(Path.Combine(live, name.From)) : new FileInfo(Path.Combine(live, name.From));
            Move(moving, Path.Combine(live, name.To));
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

    private static void Move(FileSystemInfo what, string to)
    {
        if (what is DirectoryInfo folder)
        {
            folder.MoveTo(to);
        }
        else
        {
            ((FileInfo)what).MoveTo(to);
        }
    }
}
