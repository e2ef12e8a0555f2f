namespace Mirror.Node.Configuration;

/// <summary>One thing wrong with a configuration: where (file:line:column, or the environment variable), at which key, what, and what to do.</summary>
public sealed record ConfigFault(string Where, string Key, string What, string Remedy);

public sealed class ConfigException(IReadOnlyList<ConfigFault> faults)
    : Exception(string.Join('\n', faults.Select(fault => $"{fault.Where}: {fault.Key}: {fault.What} {fault.Remedy}")))
{
    public IReadOnlyList<ConfigFault> Faults { get; } = faults;
}

/// <summary>Reads mirror.yaml, lays MIRROR_* environment variables over it, and validates everything at once.</summary>
public static class ConfigFile
{
    /// <param name="member">Name of the member this process is, for <c>{node}</c>; null for the command line.</param>
    /// <exception cref="ConfigException">All faults.</exception>
    public static MirrorConfig Load(string path, string? member, IReadOnlyDictionary<string, string> environment) => throw new NotImplementedException();
}
