namespace Mirror.Node.Processes;

/// <summary>An app the guard has started. It leads a process group of its own, with everything it starts in turn.</summary>
public sealed class RunningApp
{
    private readonly GuardLink _link;
    private readonly long _number;
    private readonly TaskCompletionSource<int> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal RunningApp(GuardLink link, long number, int processId)
    {
        _link = link;
        _number = number;
        ProcessId = processId;
    }

    public int ProcessId { get; }

    /// <summary>Exit code, when it and all of its group have ended (128 + signal when killed).</summary>
    public Task<int> Exited => _exited.Task;

    /// <summary>Why the guard was lost, when that is how the app ended; null otherwise. Read it after <see cref="Exited"/>.</summary>
    public string? GuardLoss { get; private set; }

    /// <summary>SIGTERM to its process group, SIGKILL after its grace; returns when it is gone.</summary>
    /// <param name="cancellation">Stops waiting; the app is stopped all the same.</param>
    public Task StopAsync(CancellationToken cancellation)
    {
        if (!Exited.IsCompleted)
        {
            _link.RequestStop(_number);
        }

        return Exited.WaitAsync(cancellation);
    }

    internal void End(int exitCode, string? guardLoss = null)
    {
        GuardLoss = guardLoss;
        _exited.TrySetResult(exitCode);
    }
}
