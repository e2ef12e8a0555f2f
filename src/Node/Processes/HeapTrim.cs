namespace Mirror.Node.Processes;

/// <summary>
/// Work on a great many entries at once leaves several times as much garbage as it made, and the runtime keeps the room until it needs it for something else. A node has other programs beside
/// it: after such work, which is rare, it gives the room back. That stops the process for some tenths of a second.
/// </summary>
public static class HeapTrim
{
    private const int Many = 50_000;

    /// <param name="entries">How many there were to work on.</param>
    public static void After(int entries)
    {
        if (entries >= Many)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        }
    }
}
