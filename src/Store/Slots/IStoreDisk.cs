using System.Text;
using Mirror.Store.Tree;

namespace Mirror.Store.Slots;

/// <summary>
/// Every change the store makes to its disk goes through here, the name of the operation first. What the store promises about crashes
/// is a promise about the order of these calls; a test replaces the seam, lets the n-th call fail and looks at what is left.
/// </summary>
internal interface IStoreDisk
{
    /// <param name="passable">Others may go through it to what they may see below (0711); else it is the store's alone (0700). One that is there stays as it is.</param>
    void CreateDirectory(string op, string path, bool passable = false);

    /// <summary>Writes a whole new file, mode 0600, and syncs it. The name is not durable before its directory is synced.</summary>
    void WriteFile(string op, string path, ReadOnlySpan<byte> content);

    /// <summary>rename(2): files, links and directories alike; replaces a file atomically.</summary>
    void Rename(string op, string from, string to);

    void CreateLink(string op, string path, string target);

    /// <summary>Absent is fine.</summary>
    void DeleteFile(string op, string path);

    /// <summary>A directory and all below it, by raw byte names; absent is fine.</summary>
    void DeleteTree(string op, string path);

    void SyncDirectory(string op, string path);

    /// <summary>Content and metadata of an open file reach the disk; not its name.</summary>
    void SyncFile(string op, FileStream file) => Change(op, () => file.Flush(flushToDisk: true));

    /// <summary>
    /// A change that a deeper module makes (a tree writer, the index, a pack): the seam only names it. Two names mean more: what ends in ": sync" is the barrier for a
    /// whole file system, what ends in ": commit" is a transaction of the index.
    /// </summary>
    void Change(string op, Action change);

    Task ChangeAsync(string op, Func<Task> change);

    /// <summary>Both names exchange what they name, in one step. False where the file system cannot; nothing happened then.</summary>
    bool TryExchange(string op, string left, string right)
    {
        var error = 0;
        Change(op, () => error = Posix.Exchange(Encoding.UTF8.GetBytes(left), Encoding.UTF8.GetBytes(right)));
        if (error is -Errno.InvalidArgument or -Errno.NotImplemented or -Errno.NotSupported)
        {
            return false;
        }

        if (error < 0)
        {
            PosixError.Throw("exchange with what was restored", right, -error);
        }

        return true;
    }

    /// <summary>Said before a source of a content is read. It changes nothing; a test lets it fail as a bad sector would.</summary>
    void Reading(string op, string path)
    {
    }
}

internal static class StoreDiskExtensions
{
    /// <summary>The old content or the new one, whatever happens: temporary name, sync, rename, sync of the directory.</summary>
    public static void ReplaceFile(this IStoreDisk disk, string op, string path, ReadOnlySpan<byte> content)
    {
        disk.WriteFile($"{op}: write", path + ".tmp", content);
        disk.Rename($"{op}: rename", path + ".tmp", path);
        disk.SyncDirectory($"{op}: sync directory", Path.GetDirectoryName(path)!);
    }

    /// <summary>Points a symbolic link elsewhere in one step.</summary>
    public static void ReplaceLink(this IStoreDisk disk, string op, string path, string target)
    {
        disk.DeleteFile($"{op}: clear temporary link", path + ".tmp");
        disk.CreateLink($"{op}: write link", path + ".tmp", target);
        disk.Rename($"{op}: rename", path + ".tmp", path);
        disk.SyncDirectory($"{op}: sync directory", Path.GetDirectoryName(path)!);
    }
}
