namespace Mirror.Fuzz;

/// <summary>
/// Ends the process when one case takes longer than anything small may: a thread that hangs cannot be ended otherwise. The case is in a file before.
/// One for each working thread.
/// </summary>
internal sealed class Watchdog : IDisposable
{
    /// <summary>Far beyond what a slow machine makes of a case that takes a millisecond.</summary>
    private const int MostLooks = 30;

    private readonly string failures;
    private readonly ITimer timer;
    private volatile byte[]? input;
    private string parser = "";
    private int looks;

    public Watchdog(string failures, TimeProvider time)
    {
        this.failures = failures;
        timer = time.CreateTimer(_ => Look(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
    }

    public void Begin(string name, byte[] bytes)
    {
        parser = name;
        Volatile.Write(ref looks, 0);
        input = bytes;
    }

    public void End() => input = null;

    public void Dispose() => timer.Dispose();

    private void Look()
    {
        // Looks are counted, not time: a process that somebody stopped for a while is not one that hangs.
        if (input is { } hanging && Interlocked.Increment(ref looks) > MostLooks)
        {
            Environment.FailFast($"{CaseFile.Write(failures, parser, hanging)}: still being read after {MostLooks} s.");
        }
    }
}
