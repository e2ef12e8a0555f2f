namespace Mirror.Testing;

/// <summary>A small file system in memory, until the test ends.</summary>
public sealed class MountedDirectory : IDisposable
{
    private readonly TemporaryDirectory place = new();

    public MountedDirectory(int kibibytes)
    {
        Path = place.Make("mounted");
        Shell.Run("mount -t tmpfs -o mode=0700,size=$2k none \"$1\"", Path, $"{kibibytes}");
    }

    public string Path { get; }

    public void MakeReadOnly() => Shell.Run("mount -o remount,ro \"$1\"", Path);

    /// <summary>Not one byte and not one name more.</summary>
    public void Fill() => Shell.Run(
        """
        cat /dev/zero > "$1/filler" 2>/dev/null || true
        n=0; while : > "$1/name-$n" 2>/dev/null && [ $n -lt 100000 ]; do n=$((n+1)); done
        """,
        Path);

    public void Dispose()
    {
        Shell.Run("umount -l \"$1\"", Path);
        place.Dispose();
    }
}
