using System.Text.Json;
using Mirror.Node.Configuration;

namespace Mirror.Node.Tests.Configuration;

internal static class Sample
{
    public static readonly IReadOnlyDictionary<string, string> NoEnvironment = new Dictionary<string, string>();

    public const string Good = """
        cluster: { name: example, lease: 4s, pki: /etc/mirror/pki }
        nodes:
          alpha: { address: 10.0.0.1, state: /var/lib/mirror }
          beta: { address: 10.0.0.2, state: /var/lib/mirror }
          gamma: { address: 10.0.0.3, state: /var/lib/mirror }
        sites:
          wiki:
            primary: alpha
            nodes: [alpha, beta, gamma]
            files:
              root: /srv/wiki
              exclude: ["cache/**"]
            databases:
              main: { sqlite: data/wiki.db }
            apps:
              web:
                command: [/usr/bin/wiki, "--port={port}"]
                environment: { WIKI_DB: "{database:main}" }
                health: /healthz
            hosts: [wiki.example.org]
        """;

    public static string Path => System.IO.Path.Combine(Root, "docs", "mirror.example.yaml");

    private static string Root
    {
        get
        {
            var directory = new DirectoryInfo(AppContext.BaseDirectory);
            while (directory is not null && !File.Exists(System.IO.Path.Combine(directory.FullName, "Mirror.sln")))
            {
                directory = directory.Parent;
            }

            return directory?.FullName ?? throw new InvalidOperationException("Mirror.sln is not above the tests.");
        }
    }

    public static MirrorConfig Parse(string text, string? member = null, params (string Name, string Value)[] environment) =>
        ConfigFile.Parse(text, "mirror.yaml", member, environment.ToDictionary(pair => pair.Name, pair => pair.Value));

    public static IReadOnlyList<ConfigFault> FaultsOf(string text, params (string Name, string Value)[] environment) =>
        Assert.Throws<ConfigException>(() => Parse(text, null, environment)).Faults;

    /// <summary>Everything but the warnings, whose places differ from file to file.</summary>
    public static string Fingerprint(MirrorConfig config) => JsonSerializer.Serialize(config with { Warnings = [] });
}
