using System.Text;
using Microsoft.Win32.SafeHandles;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Store.Packs;

/// <summary>Gives a pack that was written under a temporary name its own: sync the bytes, rename, sync the directory. A pack found under its name is whole, also after a power cut.</summary>
public static class PackFile
{
    /// <param name="pending">The finished pack, in the same file system; no handle needs to be open on it.</param>
    /// <param name="path">Its name; what is there is replaced at once and whole.</param>
    public static void Publish(string pending, string path)
    {
        // A name that reached the disk before the bytes did would be a pack of zeros after a power cut. Synced already, this costs nothing.
        using (var bytes = File.OpenHandle(pending, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete))
        {
            RandomAccess.FlushToDisk(bytes);
        }

        File.Move(pending, path, overwrite: true);
        SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>Whether <see cref="Publish"/> may take this name: nothing is there, or a regular file. A device or a pipe is written to, never replaced.</summary>
    public static bool MayReplace(string path)
    {
        var error = Posix.Stat(Posix.CurrentDirectory, Encoding.UTF8.GetBytes(path), out FileStat stat);
        return error == -Errno.NotFound || (error >= 0 && stat.Type == EntryType.File);
    }

    // The runtime opens no directories, but syncs one it is given.
    private static void SyncDirectory(string directory)
    {
        var descriptor = Posix.OpenAt(Posix.CurrentDirectory, Encoding.UTF8.GetBytes(directory), Posix.ReadOnly | Posix.DirectoryOnly);
        if (descriptor < 0)
        {
            PosixError.Throw("open, to sync it,", directory, -descriptor);
        }

        using var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        RandomAccess.FlushToDisk(handle);
    }
}
