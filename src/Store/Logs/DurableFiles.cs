using Mirror.Store.Slots;

namespace Mirror.Store.Logs;

/// <summary>What must outlive a power cut and lies beside a store.</summary>
public static class DurableFiles
{
    private static readonly StoreDisk disk = new();

    /// <summary>The names in it are on the disk after this.</summary>
    public static void SyncDirectory(string path) => disk.SyncDirectory("sync directory", path);

    /// <summary>The old content or the new one, whatever happens.</summary>
    public static void Replace(string path, ReadOnlySpan<byte> content) => disk.ReplaceFile("replace", path, content);
}
