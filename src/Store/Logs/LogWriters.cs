using System.Globalization;
using System.Text;
using Mirror.Store.Tree;

namespace Mirror.Store.Logs;

/// <summary>How the processes that have a log open write to it.</summary>
public enum LogWriting
{
    /// <summary>Each that can be seen appends, wherever the end is.</summary>
    Appends,

    /// <summary>One writes where it was: were its file to become shorter, it would leave a hole.</summary>
    KeepsItsPlace,

    /// <summary>Not every process may be looked at.</summary>
    Unknown,
}

/// <summary>
/// Looks through /proc for who has a file open to write, and whether in append mode. Only then may a file become shorter under its writer.
/// </summary>
public static class LogWriters
{
    private const int accessMode = 3;
    private const int append = 0x400;

    public static LogWriting Of(ulong device, ulong inode)
    {
        var result = LogWriting.Appends;
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(process.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var id) || id == Environment.ProcessId)
            {
                continue;
            }

            try
            {
                foreach (var open in Directory.EnumerateFileSystemEntries(process + "/fd"))
                {
                    if (IsFile(open, device, inode) && KeepsItsPlace(process, Path.GetFileName(open), inode) && IsFile(open, device, inode))
                    {
                        return LogWriting.KeepsItsPlace;
                    }
                }
            }
            catch (UnauthorizedAccessException)
            {
                result = LogWriting.Unknown;
            }
            catch (IOException)
            {
                // It ended meanwhile.
            }
        }

        return result;
    }

    private static bool IsFile(string open, ulong device, ulong inode)
    {
        var descriptor = Posix.OpenAt(Posix.CurrentDirectory, Encoding.UTF8.GetBytes(open), Posix.PathOnly);
        if (descriptor < 0)
        {
            return false;
        }

        try
        {
            return Posix.Stat(descriptor, out FileStat stat) >= 0 && stat.Inode == inode && stat.FileSystem == device;
        }
        finally
        {
            Posix.Close(descriptor);
        }
    }

    // A shell puts other files in a descriptor's place and back, from one line to the next: flags count only when they are said of this file.
    private static bool KeepsItsPlace(string process, string descriptor, ulong inode)
    {
        var keeps = false;
        foreach (var line in File.ReadAllLines($"{process}/fdinfo/{descriptor}"))
        {
            if (line.StartsWith("flags:", StringComparison.Ordinal))
            {
                var flags = Convert.ToInt32(line["flags:".Length..].Trim(), 8);
                keeps = (flags & accessMode) != 0 && (flags & append) == 0;
            }
            else if (line.StartsWith("ino:", StringComparison.Ordinal) && line["ino:".Length..].Trim() != inode.ToString(CultureInfo.InvariantCulture))
            {
                return false;
            }
        }

        return keeps;
    }
}
