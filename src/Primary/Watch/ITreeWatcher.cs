namespace Mirror.Primary.Watch;

/// <summary>Watches a live tree for changes, and collects where they were. Disposing ends the watch.</summary>
public interface ITreeWatcher : IDisposable
{
    /// <summary>Completes when there is something to <see cref="Take"/>.</summary>
    /// <exception cref="OperationCanceledException"/>
    Task TouchedAsync(CancellationToken cancellation);

    /// <summary>What was touched since the last call: what happens from here on is in the next answer. The first answer is <see cref="TouchedPaths.All"/>.</summary>
    TouchedPaths Take();

    /// <summary>Why hints are incomplete, and what helps; null when all is well. Scanning finds the changes then.</summary>
    string? Degraded { get; }
}
