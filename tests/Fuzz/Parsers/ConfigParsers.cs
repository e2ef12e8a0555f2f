using System.Text;
using System.Text.Json;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;
using Mirror.Primary.Capture;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Fuzz.Parsers;

/// <summary>mirror.yaml: all that is wrong is said at once, and what is accepted can be written down and read again.</summary>
internal sealed class ConfigParser() : Parser("config", typeof(ConfigException))
{
    private static readonly Dictionary<string, string> nothing = [];

    public override IReadOnlyList<byte[]> Seeds { get; } =
    [
        """
        cluster: { name: example, lease: 4s, pki: /etc/mirror/pki }
        nodes:
          alpha: { address: 10.0.0.1, state: /var/lib/mirror, app-ports: 20000-20999 }
          beta: { address: 10.0.0.2, grpc-port: 7400 }
          gamma: { address: "10.0.0.3" }
        proxies:
          front: { address: 10.0.0.9, listen: ["http://0.0.0.0:80"], hold-for: 30s }
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
            capture: { on-change: false, every: 1h, cron: "0 3 * * mon-fri", time-zone: Europe/Berlin, not-between: ["sat,sun 22:00-06:00"], nice: 10, io: low }
            replication: { bandwidth: 20M, exempt: [10.0.0.0/8] }
            hosts: [wiki.example.org]

        """u8.ToArray(),
        """
        cluster:
          name: two
        nodes:
          a: {address: a.example}
          b: {address: b.example}
        witnesses:
          w: {address: w.example}
        sites:
          s:
            primary: a
            nodes: [a, b]
            files: {root: /srv/s}

        """u8.ToArray(),
    ];

    public override int MaxLength => 4 << 10;

    // A scanner, a tree and a sentence for every fault.
    public override (long Fixed, int PerByte) Allocation => (2 << 20, 16 << 10);

    public override int Read(byte[] input)
    {
        var config = ConfigFile.Parse(Encoding.UTF8.GetString(input), "mirror.yaml", null, nothing);
        var written = ConfigWriter.Write(config);
        try
        {
            Promise(ConfigWriter.Write(ConfigFile.Parse(written, "written.yaml", null, nothing)) == written, "the configuration changes when it is written and read");
        }
        catch (ConfigException refusal)
        {
            throw new BrokenPromiseException($"an accepted configuration is refused after it was written: {refusal.Message}");
        }

        return HashCode.Combine(config.Members.Count, config.Sites.Count);
    }
}

/// <summary>Small texts that people type: a duration, an address, a version, a list in a variable. Refused is false, never an exception.</summary>
internal sealed class WordParser() : Parser("words")
{
    public override IReadOnlyList<byte[]> Seeds { get; } =
        [.. new[] { "1m30s", "200ms", "7d", "1.5h", "http://[::1]:8080", "http://*:80", "http://localhost", "1.2", "18446744073709551615.0", "[a, \"b\"]", "a,b" }.Select(Encoding.UTF8.GetBytes)];

    public override int Read(byte[] input)
    {
        var text = Encoding.UTF8.GetString(input);
        var found = 0;
        if (Durations.TryParse(text, out var duration))
        {
            Promise(duration >= TimeSpan.Zero && Durations.TryParse(Durations.Format(duration), out var again) && again == duration, "a duration does not come back");
            found |= 1;
        }

        if (ListenAddress.TryParse(text, out var address))
        {
            Promise(address.Port is > 0 and <= 65535, "a port that is none");
            found |= 2;
        }

        if (VersionId.TryParse(text, out var id))
        {
            Promise(VersionId.TryParse(id.ToString(), out var again) && again == id, "a version does not come back");
            found |= 4;
        }

        return found | (YamlTree.ReadFlowList(text) is null ? 0 : 8);
    }
}

/// <summary>What an app's guard says, line by line.</summary>
internal sealed class GuardParser() : Parser("guard", typeof(JsonException), typeof(InvalidDataException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } =
    [
        [.. GuardJson.Line(new GuardReport(GuardReportKind.Ready)), .. GuardJson.Line(new GuardReport(GuardReportKind.Ended) { App = 3, ExitCode = 137, Why = "killed" })],
        [.. GuardJson.Line(new GuardReport(GuardReportKind.Started) { App = 1, ProcessId = 4711 })],
    ];

    public override int Read(byte[] input)
    {
        var lines = new BoundedLines(new MemoryStream(input));
        var count = 0;
        while (lines.Next() is { } line)
        {
            var report = GuardJson.Report(line.Span);
            Promise(GuardJson.Report(GuardJson.Line(report)) == report, "a report does not come back");
            count++;
        }

        return Rough(count);
    }
}

/// <summary>An exclude pattern and a path, a line each: any path can lie in a tree, and the question is asked for each.</summary>
internal sealed class ExcludeParser() : Parser("exclude", typeof(InvalidDataException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } =
        [.. new[] { "cache/**\ncache/a/b", "**/*.tmp\na/b/c.tmp", "**/a/**/b/**\na/a/b/b/c", "a?c/*\nabc/d", "**/a/**/a/**/a/**/b\na/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", "!/a[!b-d[:digit:]]\\ /\na1 /b", "[a\n[a", "#a \n#a" }.Select(Encoding.UTF8.GetBytes)];

    public override (long Fixed, int PerByte) Allocation => (256 << 10, 256);

    public override int Read(byte[] input)
    {
        var end = Array.IndexOf(input, (byte)'\n');
        var pattern = Encoding.UTF8.GetString(end < 0 ? input : input.AsSpan(0, end));
        var path = EntryPath.Parse(end < 0 ? "a/b"u8 : input.AsSpan(end + 1));
        return new PathFilter([], [pattern]).Excludes(path, EntryType.File) ? 1 : 0;
    }
}
