using System.Runtime.ExceptionServices;
using Mirror.Delta;

namespace Mirror.Store.Tree;

/// <summary>
/// The directories of a walk, shared by several threads: each takes one, and gives back the directories it found in it. The newest are taken first, so that few are waiting however large the tree.
/// </summary>
internal sealed class WalkCrew<T>
    where T : class
{
    private const int MostHands = 8;

    private readonly object gate = new();
    private readonly Stack<T> due = new();
    private readonly uint user = Posix.EffectiveUser;
    private ExceptionDispatchInfo? failure;
    private int busy;

    private WalkCrew(T first) => due.Push(first);

    /// <param name="hire">Makes a hand: what one thread does with a directory. It puts what it found in it, to be walked too, into the list.</param>
    public static void Run(T first, Func<Action<T, List<T>>> hire, CancellationToken cancellation)
    {
        var crew = new WalkCrew<T>(first);
        using var over = new CancellationTokenSource();
        var helpers = new Task[Math.Min(Environment.ProcessorCount, MostHands) - 1];
        for (var i = 0; i < helpers.Length; i++)
        {
            helpers[i] = Beside.RunAsync(() => crew.Help(hire, cancellation), over.Token);
        }

        // This thread would do all of it, if the others never came to it.
        crew.Work(hire, cancellation);
        over.Cancel();
        Task.WhenAll(helpers).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing).GetAwaiter().GetResult();
        crew.failure?.Throw();
    }

    // Rights belong to the thread: nobody helps who may see more, or less, than the one who asked.
    private void Help(Func<Action<T, List<T>>> hire, CancellationToken cancellation)
    {
        if (Posix.EffectiveUser == user)
        {
            Work(hire, cancellation);
        }
    }

    private void Work(Func<Action<T, List<T>>> hire, CancellationToken cancellation)
    {
        var more = new List<T>();
        Action<T, List<T>>? hand = null;
        while (Take() is { } directory)
        {
            try
            {
                more.Clear();
                cancellation.ThrowIfCancellationRequested();
                hand ??= hire();
                hand(directory, more);
            }
            catch (Exception thrown)
            {
                // The first failure is thrown by Run, on the thread that asked.
                lock (gate)
                {
                    failure ??= ExceptionDispatchInfo.Capture(thrown);
                }
            }

            Done(more);
        }
    }

    private T? Take()
    {
        lock (gate)
        {
            while (due.Count == 0 && busy > 0 && failure is null)
            {
                Monitor.Wait(gate);
            }

            if (due.Count == 0 || failure is not null)
            {
                return null;
            }

            busy++;
            return due.Pop();
        }
    }

    private void Done(List<T> more)
    {
        lock (gate)
        {
            busy--;
            foreach (var directory in more)
            {
                due.Push(directory);
            }

            if (more.Count > 0 || busy == 0)
            {
                Monitor.PulseAll(gate);
            }
        }
    }
}
