using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Wiki.Storage;

/// <summary>Files that are there whole or not at all, also after a power cut: written aside, flushed, renamed, and the directory flushed.</summary>
internal static partial class DurableFile
{
    public static async Task WriteAsync(WikiRoot root, string path, Func<Stream, Task> write)
    {
        Directory.CreateDirectory(root.Temporary);
        var temporary = Path.Combine(root.Temporary, Guid.NewGuid().ToString("N"));
        try
        {
            await using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 16 << 10))
            {
                await write(file);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
            FlushDirectory(Path.GetDirectoryName(path)!);
        }
        finally
        {
            File.Delete(temporary); // Nothing there after a success.
        }
    }

    /// <summary>Makes a directory, so that it survives too.</summary>
    public static void MakeDirectory(string path)
    {
        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path);
            FlushDirectory(Path.GetDirectoryName(path)!);
        }
    }

    private static void FlushDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return; // Windows has no such call, and no need.
        }

        using var handle = Open(path, 0x80000 /* O_RDONLY | O_CLOEXEC */);
        if (handle.IsInvalid)
        {
            throw new IOException($"The directory {path} cannot be flushed.", new Win32Exception(Marshal.GetLastPInvokeError()));
        }

        RandomAccess.FlushToDisk(handle);
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial SafeFileHandle Open(string path, int flags);
}
