namespace Mirror.Primary.Capture.Databases;

/// <summary>
/// Dumps are never synced to the disk: whoever wants one makes it first. What was left by a process that was killed is as it was written. After a crash of the machine it need not be, whatever
/// lengths and times say; so what an earlier boot left is dropped, and made again.
/// </summary>
internal static class DumpBoot
{
    private const string BootId = "/proc/sys/kernel/random/boot_id";

    /// <summary>Makes the place of dumps; afterwards all that is in it is of this boot.</summary>
    public static void Begin(string spool)
    {
        var mark = MarkOf(spool);
        var boot = File.ReadAllText(BootId);
        if (!File.Exists(mark) || File.ReadAllText(mark) != boot)
        {
            DumpDirectory.Remove(spool);
            new DumpBases(spool).Forget();
            DumpDirectory.Make(spool);
            File.WriteAllText(mark + ".tmp", boot);
            File.Move(mark + ".tmp", mark, overwrite: true);
        }

        DumpDirectory.Make(spool);
    }

    public static string MarkOf(string spool) => spool.TrimEnd(Path.DirectorySeparatorChar) + ".boot";
}
