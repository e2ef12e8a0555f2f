namespace Mirror.Fuzz;

/// <summary>
/// Ends the process when one case takes longer than anything small may: a thread that hangs cannot be ended otherwise. The case is in a file before.
/// One for each working thread.
/// </summary>
internal sealed class Watchdog : IDisposable
{
    /// <summary>Far beyond what a slow machine makes of a case that takes a millisecond.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly string failures;
    private readonly TimeProvider time;
    private readonly ITimer timer;
    private volatile byte[]? input;
    private string parser = "";
    private long began;

    public Watchdog(string failures, TimeProvider time)
    {
        this.failures = failures;
        this.time = time;
        timer = time.CreateTimer(_ => Look(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
    }

    public void Begin(string name, byte[] bytes)
    {
        parser = name;
        Volatile.Write(ref began, time.GetTimestamp());
        input = bytes;
    }

    public void End() => input = null;

    public void Dispose() => timer.Dispose();

    private void Look()
    {
        if (input is { } hanging && time.GetElapsedTime(Volatile.Read(ref began)) > Limit)
        {
            Environment.FailFast($"{CaseFile.Write(failures, parser, hanging)}: still being read after {Limit.TotalSeconds} s.");
        }
    }
}
