using System.Globalization;
using System.Text;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Store.Versions;

/// <summary>
/// One process changes a store, or any number read it. A flock on a file: it ends with the process, however that ends. What the file says, the number and name of the
/// process that changes the store, is for people only.
/// </summary>
internal sealed class StoreLock : IDisposable
{
    private const int NotPermitted = 1;
    private const int WouldBlock = 11;
    private const int NoSpace = 28;
    private const int ReadOnlyFileSystem = 30;
    private const int OverQuota = 122;
    private const string FileName = "lock";
    private readonly FileStream? file;
    private readonly bool forReading;

    private StoreLock(FileStream? file, bool forReading)
    {
        this.file = file;
        this.forReading = forReading;
    }

    /// <exception cref="StoreInUseException"/>
    /// <exception cref="ReadOnlyStoreException">Nothing can be written there.</exception>
    public static StoreLock Take(string directory)
    {
        try
        {
            return new StoreLock(Signed(Open(directory, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None)), forReading: false);
        }
        catch (Exception error) when (IsUnwritable(error))
        {
            throw new ReadOnlyStoreException(
                $"The store {directory} cannot be written: {error.Message} It can be read as it is; for all else make room, mend the permissions, or copy it to a place that can be written.", error);
        }
    }

    /// <summary>Beside others who read. A store without a lock file, where none can be made, is nobody's.</summary>
    /// <exception cref="StoreInUseException">Somebody changes it.</exception>
    public static StoreLock TakeToRead(string directory) => new(
        File.Exists(Path.Combine(directory, FileName)) ? Open(directory, FileMode.Open, FileAccess.Read, FileShare.Read) : null, forReading: true);

    /// <summary>Nothing can be written there now: a read-only file system, a full one, or one where this user may not.</summary>
    public static bool IsUnwritable(Exception error) =>
        error is UnauthorizedAccessException || (error is IOException && (error.HResult & 0xffff) is NotPermitted or NoSpace or ReadOnlyFileSystem or OverQuota);

    public void Dispose()
    {
        if (file is not null && !forReading)
        {
            // Whoever finds the store taken afterwards must not be told of a process that has left it.
            file.SetLength(0);
        }

        file?.Dispose();
    }

    private static FileStream Signed(FileStream taken)
    {
        try
        {
            taken.SetLength(0);
            taken.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId} {NameOf(Environment.ProcessId)}\n")));
        }
        catch (IOException full) when (IsUnwritable(full))
        {
            // The lock counts without it; a store on a full disk must open, since it can be read and room be made.
            return taken;
        }
        catch
        {
            taken.Dispose();
            throw;
        }

        return taken;
    }

    private static FileStream Open(string directory, FileMode mode, FileAccess access, FileShare share)
    {
        var path = Path.Combine(directory, FileName);
        var options = new FileStreamOptions { Mode = mode, Access = access, Share = share, BufferSize = 0 };
        if (mode != FileMode.Open)
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        try
        {
            return new FileStream(path, options);
        }
        catch (IOException error) when (error.HResult == WouldBlock)
        {
            throw new StoreInUseException($"The store {directory} is in use by {Holder(directory)}. Stop it, wait for it, or ask it instead.", error);
        }
        catch (UnauthorizedAccessException error) when (Directory.Exists(path))
        {
            throw new StoreException($"{path} is a directory; it must be a file. Remove it (rmdir {path}) and open the store again.", error);
        }
        catch (IOException error) when (!IsUnwritable(error))
        {
            throw new StoreException($"The store {directory} cannot be locked: {error.Message} Mend that, or copy the store to a place that can be written.", error);
        }
    }

    private static string Holder(string directory)
    {
        var pid = FromKernel(directory) ?? FromFile(directory);
        return pid is not { } known ? "another process"
            : NameOf(known) is { Length: > 0 } name ? $"another process ({name}, pid {known})"
            : $"another process (pid {known})";
    }

    /// <summary>The kernel lists who holds a lock on which inode; of processes in other containers it says nothing.</summary>
    private static int? FromKernel(string directory)
    {
        try
        {
            var ending = $":{TreeScanner.Stat(directory, EntryPath.Parse(FileName))?.Inode.ToString(CultureInfo.InvariantCulture)}";
            foreach (var line in File.ReadLines("/proc/locks"))
            {
                // 1: FLOCK  ADVISORY  WRITE 1234 00:31:5678 0 EOF
                var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (words.Length >= 6 && words[1] == "FLOCK" && words[5].EndsWith(ending, StringComparison.Ordinal)
                    && int.TryParse(words[4], NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && pid > 0)
                {
                    return pid;
                }
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Who it is makes the message better; that somebody has it is known already.
        }

        return null;
    }

    private static int? FromFile(string directory)
    {
        try
        {
            // .NET's own way of opening would ask for the lock, too.
            using var file = TreeScanner.OpenRead(directory, EntryPath.Parse(FileName));
            using var reader = new StreamReader(file);
            return reader.ReadLine()?.Split(' ')[0] is { Length: > 0 and < 12 } word && int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? pid : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string NameOf(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/comm").Trim();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
