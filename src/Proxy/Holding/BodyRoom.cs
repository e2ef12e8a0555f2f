using Microsoft.Extensions.Logging;

namespace Mirror.Proxy.Holding;

/// <summary>How many bytes of request bodies are kept at once, over all requests of this proxy, in memory and in files. What there is no room for stays with the client.</summary>
internal sealed partial class BodyRoom(string directory, long most, ILogger<BodyRoom> log)
{
    private long _taken;
    private int _failed;

    public long Taken => Volatile.Read(ref _taken);

    public bool TryTake(int bytes)
    {
        if (Interlocked.Add(ref _taken, bytes) <= most)
        {
            return true;
        }

        Return(bytes);
        return false;
    }

    public void Return(long bytes) => Interlocked.Add(ref _taken, -bytes);

    /// <summary>A file without a name: it is gone when it is closed, however this process ends.</summary>
    /// <exception cref="IOException">The disk has no room, or the directory cannot be written to.</exception>
    public FileStream NewFile()
    {
        Directory.CreateDirectory(directory);
        var path = Path.Combine(directory, Path.GetRandomFileName());
        var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        File.Delete(path);
        return file;
    }

    /// <summary>A body could not be written down. Said once, until the process starts anew: requests still pass.</summary>
    public void Failed(Exception exception)
    {
        if (Interlocked.Exchange(ref _failed, 1) == 0)
        {
            LogFailed(exception, directory);
        }
    }

    [LoggerMessage(6007, LogLevel.Warning, "A request body could not be written to {Directory}; the rest of such bodies waits with the clients. Free space or mend permissions. Not said again")]
    private partial void LogFailed(Exception exception, string directory);
}
