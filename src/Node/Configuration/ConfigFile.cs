namespace Mirror.Node.Configuration;

/// <summary>One thing wrong with a configuration: where (file:line:column, or the environment variable), at which key, what, and what to do.</summary>
public sealed record ConfigFault(string Where, string Key, string What, string Remedy)
{
    public override string ToString() => $"{Where}: {Key}: {What} {Remedy}";
}

public sealed class ConfigException(IReadOnlyList<ConfigFault> faults)
    : Exception(string.Join('\n', faults.Select(fault => fault.ToString())))
{
    public IReadOnlyList<ConfigFault> Faults { get; } = faults;
}

/// <summary>Reads mirror.yaml, lays MIRROR_* environment variables over it, and validates everything at once.</summary>
public static class ConfigFile
{
    private const long LargestFile = 1024 * 1024;

    /// <param name="member">Name of the member this process is, for <c>{node}</c>; null for the command line.</param>
    /// <exception cref="ConfigException">All faults.</exception>
    public static MirrorConfig Load(string path, string? member, IReadOnlyDictionary<string, string> environment)
    {
        string text;
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > LargestFile } file)
            {
                throw Unreadable(path, $"The file has {file.Length} bytes; a configuration has at most {LargestFile}.", "Name the right file with --config.");
            }

            text = File.ReadAllText(path);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw Unreadable(path, "There is no such file.", "Write one with `mirror init`, or name another with --config or MIRROR_CONFIG.");
        }
        catch (UnauthorizedAccessException) when (Directory.Exists(path))
        {
            throw Unreadable(path, "This is a directory.", "Name the file in it, such as mirror.yaml.");
        }
        catch (UnauthorizedAccessException)
        {
            throw Unreadable(path, "The file may not be read by this user.", "Run as the user that owns it, or change its mode.");
        }
        catch (IOException exception)
        {
            throw Unreadable(path, $"The file cannot be read: {exception.Message}", "Check the path and the disk.");
        }

        return Parse(text, path, member, environment);
    }

    /// <summary>The same for a text at hand; <paramref name="path"/> is what faults call it.</summary>
    /// <exception cref="ConfigException">All faults.</exception>
    public static MirrorConfig Parse(string text, string path, string? member, IReadOnlyDictionary<string, string> environment)
    {
        var faults = new FaultList(path);
        var map = YamlTree.Read(text, path, faults.Faults);
        if (map is null)
        {
            throw new ConfigException(faults.Faults);
        }

        var config = new ConfigReader(map, member, faults, new Overrides(environment)).Read();
        return faults.Faults.Count == 0 ? config : throw new ConfigException(faults.Faults);
    }

    private static ConfigException Unreadable(string path, string what, string remedy) => new([new ConfigFault(path, "(file)", what, remedy)]);
}
