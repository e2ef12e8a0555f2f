using System.Collections;
using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Node.Configuration;

namespace Mirror.Cli.Commands;

/// <summary>The options that say which configuration, which process and which site a command is about.</summary>
internal static class ClusterOptions
{
    private static readonly string[] places = ["mirror.yaml", "/etc/mirror/mirror.yaml"];

    public static Option<string?> Config() => new("--config", "-c")
    {
        Description = "The configuration file. Default: $MIRROR_CONFIG, ./mirror.yaml, /etc/mirror/mirror.yaml.",
    };

    public static Option<string?> Member() => new("--node", "-n")
    {
        Description = "Which member of the cluster this is, or to ask. Default: $MIRROR_NODE, or the one whose name is this host's.",
    };

    public static Option<string?> Site() => new("--site", "-s") { Description = "The site. Default: the only one in the configuration." };

    public static string FindConfig(string? given) =>
        given ?? FromEnvironment("MIRROR_CONFIG") ?? places.FirstOrDefault(File.Exists)
        ?? throw new CommandException($"no configuration: looked for {string.Join(" and ", places)}. Name one with --config, or make one with `mirror init`.", ExitCode.Configuration);

    /// <param name="member">Whose view it is; null: nobody's in particular.</param>
    public static MirrorConfig Load(string? given, string? member)
    {
        var file = FindConfig(given);
        var config = ConfigFile.Load(file, null, EnvironmentVariables());
        return member is null ? config
            : config.Members.ContainsKey(member) ? ConfigFile.Load(file, member, EnvironmentVariables())
            : throw new CommandException(
                $"the configuration has no member \"{member}\"; it has {string.Join(", ", config.Members.Keys)}. Say which one with --node or $MIRROR_NODE.", ExitCode.Usage);
    }

    /// <summary>The configuration as a member sees it, and that member.</summary>
    public static (MirrorConfig Config, MemberConfig Member) LoadFor(string? given, string? member, MemberKind? kind = null)
    {
        var name = member ?? FromEnvironment("MIRROR_NODE") ?? Environment.MachineName.Split('.')[0].ToLowerInvariant();
        var config = Load(given, name);
        var found = config.Members[name];
        if (kind is { } wanted && found.Kind != wanted)
        {
            throw new CommandException($"{name} is a {found.Kind.ToString().ToLowerInvariant()}; start it with `mirror {found.Kind.ToString().ToLowerInvariant()}`.", ExitCode.Usage);
        }

        return (config, found);
    }

    public static string SiteOf(MirrorConfig config, string? given)
    {
        if (given is not null)
        {
            return config.Sites.ContainsKey(given)
                ? given
                : throw new CommandException($"the configuration has no site \"{given}\"; it has {string.Join(", ", config.Sites.Keys)}.", ExitCode.Usage);
        }

        return config.Sites.Count == 1
            ? config.Sites.Keys.First()
            : throw new CommandException($"which site? Say --site with one of {string.Join(", ", config.Sites.Keys)}.", ExitCode.Usage);
    }

    /// <summary>Null when the variable is unset or empty.</summary>
    public static string? FromEnvironment(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    public static Dictionary<string, string> EnvironmentVariables() =>
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().ToDictionary(pair => (string)pair.Key, pair => (string?)pair.Value ?? "", StringComparer.Ordinal);
}
