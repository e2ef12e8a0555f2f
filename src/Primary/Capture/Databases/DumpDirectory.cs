namespace Mirror.Primary.Capture.Databases;

/// <summary>
/// A dump of several files, taking the place of the last one. Files that are as before stay where they are, so that the capture reads only the others. Broken off in the middle this leaves a
/// mixture, which nobody reads: every reader of the spool makes a dump first, and that one sets it right.
/// </summary>
internal static class DumpDirectory
{
    /// <summary>Both hold files and directories alone.</summary>
    /// <param name="pending">The new dump, whole; gone afterwards.</param>
    /// <exception cref="CaptureException">There is a link or a device in the dump.</exception>
    public static void Take(string pending, string target)
    {
        if (!Directory.Exists(target))
        {
            File.Delete(target);
            Refuse(new DirectoryInfo(pending));
            Directory.Move(pending, target);
            return;
        }

        Into(new DirectoryInfo(pending), target);
        Directory.Delete(pending, recursive: true);
    }

    /// <summary>The same for a dump that was followed, and holds files alone.</summary>
    /// <param name="skip">Bytes at a file's beginning, by its name, that may differ in equal dumps.</param>
    public static void Take(string pending, string target, DumpFollower followed, Func<string, int> skip)
    {
        var names = new HashSet<string>(followed.Unchanged, StringComparer.Ordinal);
        foreach (var file in Directory.GetFiles(pending))
        {
            var name = Path.GetFileName(file);
            names.Add(name);
            if (followed.Files.ContainsKey(name) ? followed.IsUnchanged(name) : SameContent(Path.Combine(target, name), file, skip(name)))
            {
                File.Delete(file);
            }
        }

        if (File.Exists(target))
        {
            File.Delete(target);
        }

        Take(pending, target, names);
    }

    /// <summary>Puts the files that differ in place, and drops those the dump no longer has.</summary>
    /// <param name="names">All files of the new dump; those that are not in <paramref name="pending"/> are as they were.</param>
    public static void Take(string pending, string target, IReadOnlySet<string> names)
    {
        Make(target);
        foreach (var file in Directory.GetFiles(pending))
        {
            File.Move(file, Path.Combine(target, Path.GetFileName(file)), overwrite: true);
        }

        foreach (var stray in Directory.GetFiles(target).Where(file => !names.Contains(Path.GetFileName(file))))
        {
            File.Delete(stray);
        }

        Directory.Delete(pending, recursive: true);
    }

    public static void Make(string directory) => Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

    public static void Remove(string directory)
    {
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    public static long SizeOf(string directory) => new DirectoryInfo(directory).EnumerateFiles("*", SearchOption.AllDirectories).Sum(static file => file.Length);

    private static void Into(DirectoryInfo pending, string target)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in pending.EnumerateFileSystemInfos())
        {
            RefuseOdd(entry);
            names.Add(entry.Name);
            var place = Path.Combine(target, entry.Name);
            if (entry is DirectoryInfo inner && Directory.Exists(place))
            {
                Into(inner, place);
            }
            else if (entry is DirectoryInfo added)
            {
                Refuse(added);
                File.Delete(place);
                added.MoveTo(place);
            }
            else if (!SameContent(place, entry.FullName, skip: 0))
            {
                Remove(place);
                File.Move(entry.FullName, place, overwrite: true);
            }
        }

        foreach (var stray in new DirectoryInfo(target).EnumerateFileSystemInfos().Where(entry => !names.Contains(entry.Name)).ToList())
        {
            Remove(stray.FullName);
            File.Delete(stray.FullName);
        }
    }

    private static void Refuse(DirectoryInfo directory)
    {
        foreach (var entry in directory.EnumerateFileSystemInfos())
        {
            RefuseOdd(entry);
            if (entry is DirectoryInfo inner)
            {
                Refuse(inner);
            }
        }
    }

    private static void RefuseOdd(FileSystemInfo entry)
    {
        if (entry.LinkTarget is not null || (entry.Attributes & FileAttributes.Device) != 0)
        {
            throw new CaptureException($"{entry.FullName} is a link or a device. A dump is of files and directories: what a link leads to would not be in it.");
        }
    }

    private static bool SameContent(string left, string right, int skip)
    {
        if (!File.Exists(left))
        {
            return false;
        }

        using var a = new FileStream(left, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        using var b = new FileStream(right, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        if (a.Length != b.Length)
        {
            return false;
        }

        a.Position = b.Position = Math.Min(skip, a.Length);
        var x = new byte[1 << 18];
        var y = new byte[1 << 18];
        int read;
        while ((read = a.ReadAtLeast(x, x.Length, throwOnEndOfStream: false)) > 0)
        {
            if (b.ReadAtLeast(y.AsSpan(0, read), read, throwOnEndOfStream: false) != read || !x.AsSpan(0, read).SequenceEqual(y.AsSpan(0, read)))
            {
                return false;
            }
        }

        return true;
    }
}
