using System.Globalization;
using System.Text;
using Mirror.Store.Slots;

namespace Mirror.Store.Versions;

/// <summary>The file that says that a directory is a store, and of which format.</summary>
internal static class StoreFormat
{
    private const int Version = 1;
    private const int MaxBytes = 256;
    private const string Name = "mirror-store";

    /// <summary>Asked before the lock is taken, too: not even a lock file is left in a directory that is somebody else's.</summary>
    /// <exception cref="StoreException"/>
    public static void RefuseForeign(string directory)
    {
        var path = PathIn(directory);
        if (File.Exists(path) || Directory.EnumerateFileSystemEntries(directory).Select(Path.GetFileName).All(static name => name is "lock" or "format.tmp"))
        {
            return;
        }

        throw new StoreException(Directory.Exists(Path.Combine(directory, "slots")) && Directory.Exists(Path.Combine(directory, "history"))
            ? $"{directory} looks like a store whose file \"format\" is gone. If it is one, write that file again (echo {Name} {Version} > {path}) and open it; else name an absent or empty directory."
            : $"{directory} is not empty and not a store (it has no file \"format\"). Name an absent or empty directory.");
    }

    /// <exception cref="StoreException">A newer format, or none.</exception>
    public static void Check(string directory)
    {
        var path = PathIn(directory);
        var words = new FileInfo(path).Length > MaxBytes ? [] : File.ReadAllText(path).Trim().Split(' ');
        if (words.Length != 2 || words[0] != Name || !int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var version) || version == 0)
        {
            throw new StoreException(
                $"{path} does not say \"{Name} {Version}\": this is no store, or the file was damaged. If it is a store, write that line again (echo {Name} {Version} > {path}); nothing was touched.");
        }

        if (version > Version)
        {
            throw new StoreException($"The store {directory} has format {version}; this program knows {Version}. Use the newer program that wrote it.");
        }
    }

    public static void CheckOrWrite(string directory, IStoreDisk disk)
    {
        if (!File.Exists(PathIn(directory)))
        {
            RefuseForeign(directory);
            disk.ReplaceFile("open: format", PathIn(directory), Encoding.ASCII.GetBytes($"{Name} {Version}\n"));
        }

        Check(directory);
    }

    private static string PathIn(string directory) => Path.Combine(directory, "format");
}
