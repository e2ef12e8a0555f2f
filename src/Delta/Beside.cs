namespace Mirror.Delta;

/// <summary>Work beside who asks for it: on another of the threads it runs on itself. Whoever captures gently has threads of its own, and all it calls for stays on those; for all others it is the thread pool.</summary>
public static class Beside
{
    public static Task RunAsync(Action work, CancellationToken cancellation = default) =>
        Task.Factory.StartNew(work, cancellation, TaskCreationOptions.DenyChildAttach, TaskScheduler.Current);

    public static Task<T> RunAsync<T>(Func<T> work, CancellationToken cancellation = default) =>
        Task.Factory.StartNew(work, cancellation, TaskCreationOptions.DenyChildAttach, TaskScheduler.Current);

    public static Task RunAsync(Func<Task> work, CancellationToken cancellation = default) =>
        Task.Factory.StartNew(work, cancellation, TaskCreationOptions.DenyChildAttach, TaskScheduler.Current).Unwrap();
}
