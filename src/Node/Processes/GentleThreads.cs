using System.Collections.Concurrent;

namespace Mirror.Node.Processes;

/// <summary>
/// A few threads of our own that take what others leave, for work that is in no hurry. The thread pool will not do: its threads serve everybody. All that is begun here stays here over every <c>await</c>, as does
/// what it begins itself by <see cref="TaskScheduler.Current"/>. A thread is made as gentle as the one that makes it, and the pool makes its threads wherever it notices that it has too few: so whoever waits
/// for work here is told of its end by a thread that is not gentle, and what the pool made here meanwhile is made like all others again.
/// </summary>
public sealed class GentleThreads : TaskScheduler, IDisposable
{
    // One may wait for others, which wait for none.
    private const int Fewest = 4;
    private const int Most = 9;

    private static readonly ConcurrentDictionary<int, bool> all = [];

    [ThreadStatic]
    private static GentleThreads? here;

    private readonly BlockingCollection<Task> due = [];
    private readonly BlockingCollection<Action> ended = [];

    public GentleThreads(string name, Niceness niceness)
    {
        for (var i = 0; i < Math.Clamp(Environment.ProcessorCount + 1, Fewest, Most); i++)
        {
            new Thread(() => Work(niceness)) { IsBackground = true, Name = name }.Start();
        }

        new Thread(Tell) { IsBackground = true, Name = "tell " + name }.Start();
    }

    public Task<T> RunAsync<T>(Func<Task<T>> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.DenyChildAttach, this).Unwrap()
            .ContinueWith(task => ended.Add(() => done.SetFromTask(task)), CancellationToken.None, TaskContinuationOptions.None, this);
        return done.Task;
    }

    /// <summary>The threads end. Nothing may be under way.</summary>
    public void Dispose()
    {
        due.CompleteAdding();
        ended.CompleteAdding();
    }

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
        all[ThreadShare.Thread] = true;
        try
        {
            ThreadShare.Take(niceness);
            here = this;
            while (due.TryTake(out var task, Timeout.Infinite))
            {
                TryExecuteTask(task);

                // While it waits for the next one, a thread is not to hold the last, with all that was found by it.
                task = null;
            }
        }
        finally
        {
            all.TryRemove(ThreadShare.Thread, out _);
        }
    }

    private void Tell()
    {
        while (ended.TryTake(out var tell, Timeout.Infinite))
        {
            ThreadShare.TakeBackFromOthers(all.ContainsKey);
            tell();
            tell = null;
        }
    }
}
