namespace Mirror.Node.Processes;

/// <summary>An app to run under the guard.</summary>
/// <param name="LogPath">File its output is appended to.</param>
public sealed record AppLaunch(
    string Id, IReadOnlyList<string> Command, string WorkingDirectory, IReadOnlyDictionary<string, string> Environment, string LogPath, TimeSpan StopWithin);

/// <summary>
/// The node's side of the guard: apps are children of a tiny separate process (<c>mirror guard</c>), which stops them all when the node's heartbeat on its pipe ends or
/// stalls. So a killed or hung node cannot leave an app writing.
/// </summary>
public sealed class GuardClient : IAsyncDisposable
{
    /// <param name="command">How to start the guard, e.g. <c>[mirror, guard]</c>.</param>
    /// <param name="stall">Silence after which the guard stops everything.</param>
    public static Task<GuardClient> StartAsync(IReadOnlyList<string> command, TimeSpan stall, TimeProvider time, CancellationToken cancellation) => throw new NotImplementedException();

    public int ProcessId => throw new NotImplementedException();

    /// <exception cref="AppStartException">The program does not exist or cannot be run.</exception>
    public Task<RunningApp> StartAppAsync(AppLaunch launch, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Stops all apps and the guard.</summary>
    public ValueTask DisposeAsync() => throw new NotImplementedException();
}

public sealed class RunningApp
{
    public int ProcessId => throw new NotImplementedException();

    /// <summary>Exit code, when it has ended (128 + signal when killed).</summary>
    public Task<int> Exited => throw new NotImplementedException();

    /// <summary>SIGTERM to its process group, SIGKILL after its grace; returns when it is gone.</summary>
    public Task StopAsync(CancellationToken cancellation) => throw new NotImplementedException();
}

public sealed class AppStartException(string message) : Exception(message);

/// <summary>Body of the <c>mirror guard</c> command.</summary>
public static class GuardProcess
{
    public static int Run(Stream input, Stream output, TimeProvider time) => throw new NotImplementedException();
}
