namespace Mirror.Node.Configuration;

/// <summary>
/// Environment variables laid over the file: the path of a key, upper-case, joined by <c>__</c>, with <c>-</c> as <c>_</c> and <c>MIRROR_</c> before it.
/// The reader asks for every key it knows, so a variable that nobody asked for is a mistake and is reported.
/// </summary>
internal sealed class Overrides(IReadOnlyDictionary<string, string> environment)
{
    private const string Prefix = "MIRROR_";

    /// <summary>Variables of the program itself, not of its configuration.</summary>
    public static readonly IReadOnlyList<string> Own = ["MIRROR_CONFIG", "MIRROR_NODE", "MIRROR_MEMBER", "MIRROR_SOCKET"];

    // With one underscore instead of two, or a word too few, these are still meant as overrides. Other MIRROR_ names are not ours:
    // orchestrators put variables such as MIRROR_PORT or MIRROR_SERVICE_HOST there by themselves.
    private static readonly string[] Roots = ["CLUSTER", "NODES", "PROXIES", "WITNESSES", "SITES"];

    private readonly Dictionary<string, string> _asked = [];

    public static string NameOf(IEnumerable<string> path) =>
        Prefix + string.Join("__", path.Select(part => part.ToUpperInvariant().Replace('-', '_')));

    /// <summary>The value laid over a key, or null.</summary>
    public YamlScalar? Find(IReadOnlyList<string> path, FaultList faults)
    {
        var name = NameOf(path);
        var key = string.Join('.', path);
        if (!_asked.TryAdd(name, key) && _asked[name] != key && environment.ContainsKey(name))
        {
            faults.AddAt($"environment variable {name}", key, $"It could mean {_asked[name]} or {key}.", "Set the value in the file.");
        }

        return environment.TryGetValue(name, out var value) ? new YamlScalar($"environment variable {name}", value, IsNull: false) : null;
    }

    public void ReportUnknown(FaultList faults)
    {
        foreach (var name in environment.Keys.Where(LooksLikeOverride).Where(name => !_asked.ContainsKey(name)).Order(StringComparer.Ordinal))
        {
            var nearest = Spelling.Nearest(name, _asked.Keys);
            faults.AddAt(
                $"environment variable {name}", "(environment)", "It names no key of the configuration.",
                nearest is null
                    ? "Names of nodes, sites and so on must stand in the file. Unset the variable, or correct it: MIRROR_ and the key's path joined by two underscores."
                    : $"Did you mean {nearest}?");
        }
    }

    private static bool LooksLikeOverride(string name) =>
        name.StartsWith(Prefix, StringComparison.Ordinal) && !Own.Contains(name)
        && (name.Contains("__", StringComparison.Ordinal)
            || Roots.Any(root => name[Prefix.Length..] == root || name[Prefix.Length..].StartsWith(root + "_", StringComparison.Ordinal)));
}
