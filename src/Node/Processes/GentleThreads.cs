using System.Collections.Concurrent;

namespace Mirror.Node.Processes;

/// <summary>
/// A few threads of our own that take what others leave, for work that is in no hurry. The thread pool will not do: its threads serve everybody, and a thread that was made gentle can, without privileges, never be
/// made as it was. All that is begun here stays here over every <c>await</c>, as does what it begins itself by <see cref="TaskScheduler.Current"/>.
/// </summary>
public sealed class GentleThreads : TaskScheduler, IDisposable
{
    // One may wait for others, which wait for none.
    private const int Fewest = 4;
    private const int Most = 9;

    [ThreadStatic]
    private static GentleThreads? here;

    private readonly BlockingCollection<Task> due = [];

    public GentleThreads(string name, Niceness niceness)
    {
        for (var i = 0; i < Math.Clamp(Environment.ProcessorCount + 1, Fewest, Most); i++)
        {
            new Thread(() => Work(niceness)) { IsBackground = true, Name = name }.Start();
        }
    }

    public Task<T> RunAsync<T>(Func<Task<T>> work) => Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.DenyChildAttach, this).Unwrap();

    /// <summary>The threads end when they have done what is due.</summary>
    public void Dispose() => due.CompleteAdding();

    protected override void QueueTask(Task task)
    {
        try
        {
            due.Add(task);
        }
        catch (InvalidOperationException) when (due.IsAddingCompleted)
        {
            // Something is left to be ended after the threads were given up.
            ThreadPool.UnsafeQueueUserWorkItem(static state => state.Threads.TryExecuteTask(state.Task), (Threads: this, Task: task), preferLocal: false);
        }
    }

    // Whoever waits here for something that has not begun does it: so nobody waits in vain.
    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => here == this && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks() => due.ToArray();

    private void Work(Niceness niceness)
    {
        ThreadShare.Take(niceness);
        here = this;
        foreach (var task in due.GetConsumingEnumerable())
        {
            TryExecuteTask(task);
        }
    }
}
