namespace Mirror.Node.Processes;

/// <summary>
/// One life of a node after the other: a guard holds this lock while any of its apps may run, and the next one is not ready before it has it. So a node that was started again and has a guard
/// knows that nothing of its earlier life writes any more. The kernel gives it up when its holders are gone, however they went.
/// </summary>
internal sealed class LifeLock(string path) : IDisposable
{
    private FileStream? _file;

    /// <summary>For the undertaker, which outlives a guard that is killed.</summary>
    public int? Descriptor => (int?)_file?.SafeFileHandle.DangerousGetHandle();

    /// <returns>False while an earlier guard's apps may run.</returns>
    public bool TryTake()
    {
        try
        {
            _file ??= new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            return true;
        }
        catch (IOException) when (File.Exists(path))
        {
            return false; // Somebody else's.
        }
    }

    /// <summary>Also in the name of whoever was handed the descriptor.</summary>
    public void Dispose() => _file?.Dispose();
}
