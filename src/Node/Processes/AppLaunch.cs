namespace Mirror.Node.Processes;

/// <summary>An app to run under the guard.</summary>
/// <param name="Command">Program and arguments; a program without a slash is looked for in the PATH of <paramref name="Environment"/>.</param>
/// <param name="Environment">All the app sees; nothing is inherited.</param>
/// <param name="LogPath">File its output is appended to; its directory exists.</param>
/// <param name="StopWithin">Time between SIGTERM and SIGKILL.</param>
public sealed record AppLaunch(
    string Id, IReadOnlyList<string> Command, string WorkingDirectory, IReadOnlyDictionary<string, string> Environment, string LogPath, TimeSpan StopWithin)
{
    /// <summary>The site whose lease it may not outlive; empty for one that hangs on none.</summary>
    public string Site { get; init; } = "";
}
