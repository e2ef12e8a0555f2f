using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Mirror.Leadership.Voting;

/// <summary>
/// A few bytes that must never be half right: one line of content between a line that names its kind and a line with the SHA-256 of both. Written to a
/// temporary file, synced, renamed, and the directory synced: after a crash it is the old content or the new one. Anything else on reading is damage.
/// </summary>
internal sealed partial class CheckedFile(string path, string kind)
{
    private const int LongestFile = 64 * 1024;
    private const int OpenDirectory = 0x10000;
    private const int CloseOnExec = 0x80000;

    public string Path => path;

    /// <summary>Null when there is no file.</summary>
    /// <exception cref="DamagedFileException">It is not what was written.</exception>
    public string? Read()
    {
        byte[] bytes;
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read);
            if (file.Length > LongestFile)
            {
                throw new DamagedFileException(path, string.Create(CultureInfo.InvariantCulture, $"it has {file.Length} bytes"));
            }

            bytes = new byte[file.Length];
            file.ReadExactly(bytes);
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }

        var lines = Encoding.UTF8.GetString(bytes).Split('\n');
        if (lines.Length != 4 || lines[0] != kind || lines[3].Length != 0)
        {
            throw new DamagedFileException(path, $"it does not begin with '{kind}' or has not three lines");
        }

        return lines[2] == Digest(lines[1]) ? lines[1] : throw new DamagedFileException(path, "its checksum does not fit");
    }

    /// <summary>Returns when the content is safe on disk.</summary>
    public void Write(string content)
    {
        var directory = System.IO.Path.GetDirectoryName(path)!;
        if (!Directory.Exists(directory))
        {
            Directory.CreateDirectory(directory);
            SyncDirectory(System.IO.Path.GetDirectoryName(directory)!);
        }

        var temporary = path + ".new";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            file.Write(Encoding.UTF8.GetBytes($"{kind}\n{content}\n{Digest(content)}\n"));
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
        SyncDirectory(directory);
    }

    private string Digest(string content) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{kind}\n{content}\n")));

    // The runtime can't open a directory, and a rename is only safe once its directory is.
    private static void SyncDirectory(string directory)
    {
        var descriptor = Open(directory, OpenDirectory | CloseOnExec);
        if (descriptor < 0)
        {
            throw new IOException($"{directory} could not be opened to sync it (errno {Marshal.GetLastPInvokeError()}).");
        }

        try
        {
            if (Sync(descriptor) != 0)
            {
                throw new IOException($"{directory} could not be synced (errno {Marshal.GetLastPInvokeError()}).");
            }
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}

/// <summary>A file that was written with a checksum and is not what was written.</summary>
public sealed class DamagedFileException(string path, string what) : IOException($"{path} is damaged: {what}.")
{
    public string Path { get; } = path;
}
