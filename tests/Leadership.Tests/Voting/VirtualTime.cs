using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;

namespace Mirror.Leadership.Tests.Voting;

/// <summary>
/// One thread and a clock of its own: everything that can run has run before the clock moves on by a millisecond. So tests of timing take no notice of how
/// busy the machine is, and can be exact.
/// </summary>
internal sealed class VirtualTime : SynchronizationContext
{
    private readonly ConcurrentQueue<(SendOrPostCallback Work, object? State)> queue = new();

    public VirtualTime() => Began = Now;

    public FakeTimeProvider Clock { get; } = new();

    /// <summary>Monotonic clocks begin anywhere.</summary>
    public TimeSpan Began { get; }

    public TimeSpan Now => Clock.GetElapsedTime(0);

    public override void Post(SendOrPostCallback d, object? state) => queue.Enqueue((d, state));

    /// <summary>Begins something that goes on while time passes.</summary>
    public Task<T> Begin<T>(Func<Task<T>> work) => Inside(work);

    /// <summary>Lets time pass until the task is done; returns its result, or throws what it threw.</summary>
    public T Await<T>(Task<T> task, double withinSeconds = 30)
    {
        Until(() => task.IsCompleted, withinSeconds);
        return task.GetAwaiter().GetResult();
    }

    public T Run<T>(Func<Task<T>> work) => Await(Begin(work));

    public void Run(Func<Task> work)
    {
        var task = Inside(work);
        Until(() => task.IsCompleted, 30);
        task.GetAwaiter().GetResult();
    }

    /// <summary>Returns how long it took.</summary>
    public TimeSpan Until(Func<bool> condition, double withinSeconds = 30)
    {
        var began = Now;
        Drain();
        while (!condition())
        {
            Assert.True(Now - began < TimeSpan.FromSeconds(withinSeconds), $"did not happen within {withinSeconds} s");
            Inside(() => Clock.Advance(TimeSpan.FromMilliseconds(1)));
            Drain();
        }

        return Now - began;
    }

    public void Pass(double seconds)
    {
        var end = Now + TimeSpan.FromSeconds(seconds);
        Until(() => Now >= end, seconds + 1);
    }

    private void Drain()
    {
        while (queue.TryDequeue(out var item))
        {
            Inside(() => item.Work(item.State));
        }
    }

    private void Inside(Action action) => Inside<object?>(() =>
    {
        action();
        return null;
    });

    private T Inside<T>(Func<T> action)
    {
        var before = Current;
        SetSynchronizationContext(this);
        try
        {
            return action();
        }
        finally
        {
            SetSynchronizationContext(before);
        }
    }
}
