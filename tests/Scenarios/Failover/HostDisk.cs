using Mirror.Testing;

namespace Mirror.Scenarios.Failover;

/// <summary>A host's own disk, on a file: it can hang, with all who write to it, and be full to the last byte.</summary>
internal sealed class HostDisk : IDisposable
{
    private readonly string image;
    private bool hangs;

    public HostDisk(string image, string path, int mebibytes)
    {
        this.image = image;
        Path = path;
        Shell.Run("truncate -s $3M \"$1\" && mkfs.ext4 -q -F \"$1\" && mkdir -p \"$2\" && mount -o loop \"$1\" \"$2\"", image, path, $"{mebibytes}");
    }

    public string Path { get; }

    private string Filler => System.IO.Path.Combine(Path, "filler");

    /// <summary>Who writes waits until it is let go.</summary>
    public void Hang()
    {
        Shell.Run("fsfreeze -f \"$1\"", Path);
        hangs = true;
    }

    public void Release()
    {
        if (hangs)
        {
            Shell.Run("fsfreeze -u \"$1\"", Path);
            hangs = false;
        }
    }

    /// <summary>Also the room that is kept for root.</summary>
    public void Fill() => Shell.Run("cat /dev/zero > \"$1\" 2>/dev/null || true", Filler);

    public void MakeRoom() => File.Delete(Filler);

    public void Dispose()
    {
        Release();
        Shell.Run("umount -l \"$1\" && rm \"$2\"", Path, image);
    }
}
