using System.Globalization;
using System.Text;
using Mirror.Store.Tree;

namespace Mirror.Primary.Watch;

/// <summary>What the kernel's table of mounts (<c>/proc/self/mountinfo</c>) says about a tree.</summary>
internal static class MountTable
{
    /// <summary>A mount point below the root that shows some of the root's own file system once more; null when there is none.</summary>
    public static string? MountedAgainBelow(TreeHandle root)
    {
        var buffer = new byte[4096];
        var length = WatchCalls.PathOf(root.Descriptor, buffer);
        if (length <= 0 || Posix.Stat(root.Descriptor, out FileStat stat) < 0)
        {
            return null;
        }

        var top = Encoding.UTF8.GetString(buffer, 0, length).TrimEnd('/') + "/";
        var device = string.Create(CultureInfo.InvariantCulture, $"{stat.FileSystemMajor}:{stat.FileSystemMinor}");

        // "36 35 98:0 /mnt1 /mnt2 rw,noatime …": number, parent, device, root within the file system, mount point.
        foreach (var line in File.ReadLines("/proc/self/mountinfo"))
        {
            var fields = line.Split(' ', 6);
            if (fields.Length == 6 && fields[2] == device && Plain(fields[4]).StartsWith(top, StringComparison.Ordinal))
            {
                return Plain(fields[4]);
            }
        }

        return null;
    }

    // Space, tab, newline and backslash are written as three octal digits.
    private static string Plain(string field) => field
        .Replace("\\040", " ", StringComparison.Ordinal).Replace("\\011", "\t", StringComparison.Ordinal)
        .Replace("\\012", "\n", StringComparison.Ordinal).Replace("\\134", "\\", StringComparison.Ordinal);
}
