namespace Mirror.Node.Processes;

/// <summary>An app could not be started: the program, its directory or its log is missing or may not be used, or the guard was lost meanwhile.</summary>
public sealed class AppStartException(string message) : Exception(message);

/// <summary>The guard process could not be started, or does not speak as a guard does.</summary>
public sealed class GuardException(string message, Exception? cause = null) : Exception(message, cause);
