using Mirror.Node.Configuration;
using static Mirror.Node.Tests.Configuration.Sample;

namespace Mirror.Node.Tests.Configuration;

public sealed class ConfigFileTests
{
    [Fact]
    public void The_example_is_valid_and_says_what_it_says()
    {
        var config = ConfigFile.Load(Sample.Path, "alpha", NoEnvironment);

        Assert.Empty(config.Warnings);
        Assert.Equal("example", config.Cluster.Name);
        Assert.Equal(TimeSpan.FromSeconds(4), config.Cluster.Lease);
        Assert.Equal(["alpha", "beta", "gamma", "front"], config.Members.Keys);
        Assert.Equal(7400, config.Members["beta"].GrpcPort);
        Assert.Equal(new PortRange(20000, 20999), config.Members["beta"].AppPorts);
        Assert.Equal(["http://0.0.0.0:80", "https://0.0.0.0:443"], config.Members["front"].Listen);
        var wiki = config.Sites["wiki"];
        Assert.True(wiki.AutomaticFailover);
        Assert.Equal(TimeSpan.FromMilliseconds(200), wiki.Files.Debounce);
        Assert.Equal((DatabaseKind.Sqlite, "data/wiki.db"), (wiki.Databases[0].Kind, wiki.Databases[0].Path));
        Assert.Equal((DatabaseKind.Postgres, "Host=localhost;Database=shop;Username=mirror"), (wiki.Databases[1].Kind, wiki.Databases[1].Connection));
        Assert.Equal("{database:main}", wiki.Apps[0].Environment["WIKI_DATABASE"]);
        Assert.Equal(
            new RetentionConfig(20, TimeSpan.FromDays(2), 48, 30, 12, 24, 10, 50L << 30, TimeSpan.FromHours(1), 500, TimeSpan.FromDays(30)), wiki.Retention);
    }

    [Fact]
    public void Without_a_policy_everything_is_kept_and_an_empty_one_is_a_fault()
    {
        Assert.Null(Parse(Good).Sites["wiki"].Retention);
        foreach (var empty in new[] { "retention:", "retention: {}", "retention: { every: 2h }", "retention: { keep-last: 0 }" })
        {
            Assert.Contains(FaultsOf(Good + $"\n    {empty}"), fault => fault.Key == "sites.wiki.retention" && fault.What.Contains("empty", StringComparison.Ordinal));
        }

        Assert.Equal(7, Parse(Good, null, ("MIRROR_SITES__WIKI__RETENTION__KEEP_DAILY", "7")).Sites["wiki"].Retention!.KeepDaily);
    }

    [Fact]
    public void All_faults_of_a_retention_are_listed_and_a_count_alone_is_a_warning()
    {
        var faults = FaultsOf(Good + "\n    retention: { keep-lst: 3, keep-daily: -1, keep-within: long, budget: 50X, every: 1s, key-frames: { every: often } }");
        Assert.Equal(
            ["budget", "every", "keep-daily", "keep-lst", "keep-within", "key-frames.every"],
            faults.Select(fault => fault.Key).Where(key => key.StartsWith("sites.wiki.retention.", StringComparison.Ordinal)).Select(key => key["sites.wiki.retention.".Length..]).Order());
        Assert.Contains(Parse(Good + "\n    retention: { keep-last: 3 }").Warnings, warning => warning.Key == "sites.wiki.retention");
        Assert.DoesNotContain(Parse(Good + "\n    retention: { keep-last: 3, keep-daily: 2 }").Warnings, warning => warning.Key == "sites.wiki.retention");
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("1024", 1024)]
    [InlineData("512M", 512L << 20)]
    [InlineData("50g", 50L << 30)]
    [InlineData("2 T", 2L << 40)]
    public void Sizes_are_read_and_written(string text, long bytes)
    {
        Assert.True(Sizes.TryParse(text, out var read));
        Assert.Equal(bytes, read);
        Assert.True(Sizes.TryParse(Sizes.Format(bytes), out var again));
        Assert.Equal(bytes, again);
    }

    [Theory]
    [InlineData("")]
    [InlineData("G")]
    [InlineData("-1G")]
    [InlineData("1.5G")]
    [InlineData("9999999999P")]
    public void What_is_no_size_is_refused(string text) => Assert.False(Sizes.TryParse(text, out _));

    [Theory]
    [InlineData("sites:\n        command: [/es:\n  a: {address: a.example}\n  b: {address: b.example}\nwitnes")]
    [InlineData("sites:\n  a: !<http://[> x\n")]
    public void A_word_that_trips_the_yaml_library_is_a_fault_with_a_place(string text)
    {
        var refused = Assert.Throws<ConfigException>(() => Parse(text));
        var fault = Assert.Single(refused.Faults);
        Assert.Equal("(syntax)", fault.Key);
        Assert.Matches(@":\d+:\d+$", fault.Where);
    }

    [Fact]
    public void What_is_left_out_has_its_default()
    {
        var config = Parse("""
            cluster: { name: c }
            nodes: { alpha: { address: a.example.org } }
            witnesses: { w1: { address: w1.example.org }, w2: { address: w2.example.org } }
            proxies: { front: { address: f.example.org, listen: ["http://*:8080"] } }
            sites: { wiki: { primary: alpha, nodes: [alpha], files: { root: /srv/wiki/ } } }
            """);

        Assert.Equal((TimeSpan.FromSeconds(4), "/etc/mirror/pki"), (config.Cluster.Lease, config.Cluster.Pki));
        Assert.Equal(
            new MemberConfig("alpha", MemberKind.Node, "a.example.org", 7400, 7401, "/var/lib/mirror", [], TimeSpan.Zero, 0, new PortRange(20000, 20999)),
            config.Members["alpha"] with { Listen = [] });
        Assert.Equal((TimeSpan.FromSeconds(30), 1000), (config.Members["front"].HoldFor, config.Members["front"].HoldRequests));
        var site = config.Sites["wiki"];
        Assert.Equal(["alpha", "w1", "w2"], site.Voters);
        Assert.True(site.AutomaticFailover);
        Assert.Equal(("/srv/wiki", TimeSpan.FromMinutes(5)), (site.Files.Root, site.Files.Every));
        Assert.Empty(config.Warnings);
    }

    [Fact]
    public void All_faults_are_told_at_once_with_place_key_and_remedy()
    {
        var faults = FaultsOf("""
            cluster: { name: example, leese: 4s }
            nodes:
              alpha: { address: 10.0.0.1, grpc-port: high, state: var/lib }
              Beta: { address: 10.0.0.2 }
            sites:
              wiki:
                primary: delta
                nodes: [alpha, alfa]
                files: { debounce: 200 }
                databases:
                  main: { sqlite: ../wiki.db }
                  shop: { postgres: "Host=h;Database=shop;Password=geheim" }
                apps:
                  web: { command: [], health: healthz }
                automatic-failover: yes
            """);

        string[] expected =
        [
            "mirror.yaml:1:27 cluster.leese",
            "mirror.yaml:3:42 nodes.alpha.grpc-port",
            "mirror.yaml:3:55 nodes.alpha.state",
            "mirror.yaml:4:3 nodes.Beta",
            "mirror.yaml:9:5 sites.wiki.files.root",
            "mirror.yaml:9:24 sites.wiki.files.debounce",
            "mirror.yaml:14:14 sites.wiki.apps.web.command",
            "mirror.yaml:15:25 sites.wiki.automatic-failover",
            "mirror.yaml:8:20 sites.wiki.nodes[1]",
            "mirror.yaml:7:14 sites.wiki.primary",
            "mirror.yaml:11:23 sites.wiki.databases.main.sqlite",
            "mirror.yaml:12:25 sites.wiki.databases.shop.postgres",
            "mirror.yaml:14:35 sites.wiki.apps.web.health",
        ];
        Assert.Equal(expected.Order(), faults.Select(fault => $"{fault.Where} {fault.Key}").Order());
        Assert.All(faults, fault => Assert.True(fault.What.Length > 5 && fault.Remedy.Length > 5, fault.ToString()));
        Assert.Equal("Did you mean 'lease'?", faults.Single(fault => fault.Key == "cluster.leese").Remedy);
        Assert.Equal("Did you mean 'alpha'?", faults.Single(fault => fault.Key == "sites.wiki.nodes[1]").Remedy);
        Assert.DoesNotContain(faults, fault => fault.ToString().Contains("geheim", StringComparison.Ordinal));
        Assert.Contains("PGPASSFILE", faults.Single(fault => fault.Key.EndsWith("postgres", StringComparison.Ordinal)).Remedy);
    }

    [Theory]
    [InlineData("lease: 4s", "lease: 400ms", "cluster.lease", "out of bounds")]
    [InlineData("lease: 4s", "lease: soon", "cluster.lease", "not a duration")]
    [InlineData("lease: 4s", "lease: 4s, profile: metro", "cluster.profile", "no profile")]
    [InlineData("lease: 4s", "lease: [4s]", "cluster.lease", "a single value is expected")]
    [InlineData("name: example", "name: ", "cluster.name", "empty")]
    [InlineData("name: example", "name: a, name: b", "cluster.name", "twice")]
    [InlineData("name: example", "name: Big Cluster", "cluster.name", "cannot be a name")]
    [InlineData("pki: /etc/mirror/pki", "pki: /etc/../pki", "cluster.pki", "'..'")]
    [InlineData("beta: { address: 10.0.0.2", "beta: { address: 10.0.0.2, app-ports: 300-200", "nodes.beta.app-ports", "range of ports")]
    [InlineData("beta: { address: 10.0.0.2", "beta: { address: 10.0.0.2, app-ports: 7300-7500", "nodes.beta.app-ports", "clash with beta's grpc-port")]
    [InlineData("beta: { address: 10.0.0.2", "beta: { address: 10.0.0.2, app-ports: 3000-3000", "nodes.beta.app-ports", "need 2")]
    [InlineData("beta: { address: 10.0.0.2", "beta: { address: 10.0.0.2, listen: [a]", "nodes.beta.listen", "no such key")]
    [InlineData("beta: { address: 10.0.0.2", "beta: { address: 0.0.0.0", "nodes.beta.address", "every address")]
    [InlineData("beta: { address: 10.0.0.2", "beta: { address: http://beta", "nodes.beta.address", "neither a host name nor")]
    [InlineData("beta: { address: 10.0.0.2", "beta: { address: 10.0.0.1", "nodes.beta.grpc-port", "clash with alpha's grpc-port")]
    [InlineData("beta: { address: 10.0.0.2", "beta: { address: 10.0.0.1", "nodes.beta.state", "keeps its state in /var/lib/mirror")]
    [InlineData("beta: { address: 10.0.0.2", "beta: { address: 10.0.0.1", "sites.wiki.files.root", "in the way of node alpha")]
    [InlineData("gamma: {", "ca: {", "nodes.ca", "reserved")]
    [InlineData("gamma: {", "beta: {", "nodes.beta", "stands twice")]
    [InlineData("root: /srv/wiki", "root: /", "sites.wiki.files.root", "whole file system")]
    [InlineData("root: /srv/wiki", "root: /var/lib", "sites.wiki.files.root", "contain each other")]
    [InlineData("root: /srv/wiki", "root: /srv/{site}", "sites.wiki.files.root", "{site} means nothing")]
    [InlineData("\"cache/**\"", ".mirror/x", "sites.wiki.files.exclude[0]", "belongs to Mirror")]
    [InlineData("\"cache/**\"", "\"!/.mirror/\"", "sites.wiki.files.exclude[0]", "belongs to Mirror")]
    [InlineData("\"cache/**\"", "../x", "sites.wiki.files.exclude[0]", "matches nothing")]
    [InlineData("\"cache/**\"", "\"# x\"", "sites.wiki.files.exclude[0]", "comments")]
    [InlineData("\"cache/**\"", "/srv/wiki/cache", "sites.wiki.files.exclude[0]", "repeats the site's root")]
    [InlineData("root: /srv/wiki", "root: /srv/wiki\n      mass-delete: 50", "sites.wiki.files.mass-delete", "is not a share")]
    [InlineData("root: /srv/wiki", "root: /srv/wiki\n      mass-delete: 0%", "sites.wiki.files.mass-delete", "out of bounds")]
    [InlineData("root: /srv/wiki", "root: /srv/wiki\n      logs: { empty: true }", "sites.wiki.files.logs.patterns", "missing")]
    [InlineData("root: /srv/wiki", "root: /srv/wiki\n      logs: { patterns: [\"a/../b\"] }", "sites.wiki.files.logs.patterns[0]", "holds '.' or '..'")]
    [InlineData("root: /srv/wiki", "root: /srv/wiki\n      logs: { patterns: [\".mirror/x\"] }", "sites.wiki.files.logs.patterns[0]", "belongs to Mirror")]
    [InlineData("root: /srv/wiki", "root: /srv/wiki\n      logs: { patterns: [a.log], empty-from: 1K }", "sites.wiki.files.logs.empty-from", "out of bounds")]
    [InlineData("root: /srv/wiki", "root: /srv/wiki\n      logs: { patterns: [a.log], keep: 1s }", "sites.wiki.files.logs.keep", "out of bounds")]
    [InlineData("root: /srv/wiki", "root: /srv/wiki\n      marker: /srv/wiki/.mounted", "sites.wiki.files.marker", "not a path below")]
    [InlineData("root: /srv/wiki", "root: /srv/wiki\n      read-from: /srv/wiki/snapshot", "sites.wiki.files.read-from", "contain each other")]
    [InlineData("root: /srv/wiki", "root: /srv/wiki\n      read-from: /run/snapshot", "sites.wiki.files.read-from", "Nobody makes a snapshot there")]
    [InlineData("root: /srv/wiki", "root: /srv/wiki\n      read-from: run/snapshot", "sites.wiki.files.read-from", "not an absolute path")]
    [InlineData("root: /srv/wiki", "root: /srv/wiki\n      marker: .mirror/x", "sites.wiki.files.marker", "belongs to Mirror")]
    [InlineData("sqlite: data/wiki.db", "sqlite: .mirror/wiki.db", "sites.wiki.databases.main.sqlite", "belongs to Mirror")]
    [InlineData("sqlite: data/wiki.db", "sqlite: data/wiki.db, postgres: \"Host=h;Database=d\"", "sites.wiki.databases.main", "of one kind")]
    [InlineData("sqlite: data/wiki.db", "postgres: \"Database=d\"", "sites.wiki.databases.main.postgres", "no host")]
    [InlineData("sqlite: data/wiki.db", "postgres: \"Host=h\"", "sites.wiki.databases.main.postgres", "no database")]
    [InlineData("sqlite: data/wiki.db", "postgres: nonsense", "sites.wiki.databases.main.postgres", "not a connection string")]
    [InlineData("{database:main}", "{database:mein}", "sites.wiki.apps.web.environment.WIKI_DB", "names no database")]
    [InlineData("hosts: [wiki.example.org]", "hosts: [wiki.example.org, WIKI.example.org]", "sites.wiki.hosts[1]", "already served")]
    [InlineData("hosts: [wiki.example.org]", "hosts: [\"http://wiki\"]", "sites.wiki.hosts[0]", "not a host name")]
    [InlineData("hosts: [wiki.example.org]", "hosts: [a]\n    voters: [alpha, omega]", "sites.wiki.voters[1]", "no member called 'omega'")]
    [InlineData("hosts: [wiki.example.org]", "hosts: *anchor", "sites.wiki.hosts", "alias")]
    [InlineData("sites:", "pages:", "pages", "no such key")]
    public void A_fault_is_named_at_its_key(string good, string bad, string key, string what)
    {
        var text = Good.Replace(good, bad, StringComparison.Ordinal);
        Assert.NotEqual(Good, text);

        Assert.Contains(FaultsOf(text), fault => fault.Key == key && fault.What.Contains(what, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("cluster: {", "mirror.yaml:2:1")]
    [InlineData("cluster:\n\tname: x", "mirror.yaml:2:")]
    [InlineData("", "mirror.yaml:1:1")]
    [InlineData("[1, 2]", "mirror.yaml:1:1")]
    [InlineData("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "mirror.yaml:1:")]
    public void What_is_no_map_of_keys_is_refused_with_its_place(string text, string place)
    {
        Assert.StartsWith(place, Assert.Single(FaultsOf(text)).Where, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_says_how_to_get_one()
    {
        var fault = Assert.Single(Assert.Throws<ConfigException>(() => ConfigFile.Load("/nowhere/mirror.yaml", null, NoEnvironment)).Faults);
        Assert.Equal("/nowhere/mirror.yaml", fault.Where);
        Assert.Contains("mirror init", fault.Remedy);
    }

    [Fact]
    public void An_unknown_member_is_refused()
    {
        var exception = Assert.Throws<ConfigException>(() => Parse(Good, "alpa"));
        Assert.Equal("Did you mean 'alpha'?", Assert.Single(exception.Faults).Remedy);
    }

    [Fact]
    public void Nodes_on_one_machine_are_told_apart_by_their_name_in_paths()
    {
        var text = """
            cluster: { name: demo, pki: /tmp/demo/pki }
            nodes:
              alpha: { address: 127.0.0.1, grpc-port: 7410, cluster-port: 7411, state: "/tmp/demo/{node}/state", app-ports: 20000-20099 }
              beta: { address: 127.0.0.1, grpc-port: 7420, cluster-port: 7421, state: "/tmp/demo/{node}/state", app-ports: 20100-20199 }
            sites:
              wiki:
                primary: alpha
                nodes: [alpha, beta]
                files: { root: "/tmp/demo/{node}/wiki" }
                databases: { shop: { postgres: "Host=localhost;Database=shop_{node}" } }
            """;

        var beta = Parse(text, "beta");
        Assert.Equal(("/tmp/demo/alpha/state", "/tmp/demo/beta/state"), (beta.Members["alpha"].State, beta.Members["beta"].State));
        Assert.Equal("/tmp/demo/beta/wiki", beta.Sites["wiki"].Files.Root);
        Assert.Equal("Host=localhost;Database=shop_beta", beta.Sites["wiki"].Databases[0].Connection);
        Assert.Equal("/tmp/demo/{node}/wiki", Parse(text).Sites["wiki"].Files.Root);
    }

    [Fact]
    public void Two_voters_turn_automatic_failover_off_and_say_so()
    {
        var config = Parse(Good.Replace("nodes: [alpha, beta, gamma]", "nodes: [alpha, beta]", StringComparison.Ordinal));

        Assert.False(config.Sites["wiki"].AutomaticFailover);
        var warning = Assert.Single(config.Warnings);
        Assert.Equal(("sites.wiki.automatic-failover", "mirror.yaml:7:3"), (warning.Key, warning.Where));
        Assert.Contains("witness", warning.Remedy);
    }

    [Fact]
    public void The_profile_is_that_of_a_lan_unless_said_and_long_lines_want_a_longer_lease()
    {
        Assert.Equal(NetworkProfile.Lan, Parse(Good).Cluster.Profile);
        var wan = Parse(Good.Replace("lease: 4s", "lease: 4s, profile: wan", StringComparison.Ordinal));
        Assert.Equal(NetworkProfile.Wan, wan.Cluster.Profile);
        Assert.Equal("cluster.lease", Assert.Single(wan.Warnings).Key);

        var longer = Parse(Good.Replace("lease: 4s", "lease: 10s, profile: wan", StringComparison.Ordinal));
        Assert.Empty(longer.Warnings);
        Assert.Equal(NetworkProfile.Wan, Parse(ConfigWriter.Write(longer)).Cluster.Profile);
    }

    [Fact]
    public void An_app_that_never_hears_its_port_is_warned_about()
    {
        var config = Parse(Good.Replace("--port={port}", "--port=80", StringComparison.Ordinal));
        Assert.Equal("sites.wiki.apps.web", Assert.Single(config.Warnings).Key);
    }

    [Fact]
    public void Proxies_share_no_port_with_their_own_listeners()
    {
        var faults = FaultsOf(Good.Replace("sites:", """
            proxies:
              front: { address: 10.0.0.9, listen: ["http://0.0.0.0:7400", "https://0.0.0.0:443", "http://localhost:80/x"] }
              back: { address: 10.0.0.9, grpc-port: 7500, cluster-port: 7501, state: /var/lib/back, listen: ["http://10.0.0.9:7400"] }
            sites:
            """, StringComparison.Ordinal));
        Assert.Equal(
            ["proxies.front.listen[0]", "proxies.front.listen[1]", "proxies.front.listen[2]", "proxies.back.listen[0]"],
            faults.Select(fault => fault.Key));
    }

    [Fact]
    public void What_readers_meet_is_read_with_its_defaults()
    {
        var config = Parse(Good.Replace("sites:", """
            proxies:
              front:
                address: 10.0.0.9
                listen: ["https://[::]:8443", "https://10.0.0.9"]
                hold-bytes: 5M
                certificates: { wiki: { certificate: /etc/tls/wiki.crt, key: /etc/tls/wiki.key } }
                trusted-proxies: [10.0.0.128/25]
                access-log: { file: "-", format: json }
              plain: { address: 10.0.0.10, listen: ["http://0.0.0.0:80"] }
            sites:
            """, StringComparison.Ordinal));
        var member = config.Members["front"];

        Assert.Equal(5 << 20, member.HoldBytes);
        Assert.Equal(new CertificateConfig("wiki", "/etc/tls/wiki.crt", "/etc/tls/wiki.key"), Assert.Single(member.Front.Certificates));
        Assert.Equal("10.0.0.128/25", Assert.Single(member.Front.TrustedProxies));
        Assert.Equal(new AccessLogConfig("-", true, 100 << 20, 5), member.Front.AccessLog);
        Assert.Equal(1L << 30, config.Members["plain"].HoldBytes);
        Assert.Null(config.Members["plain"].Front.AccessLog);
        Assert.Equal(TimeSpan.FromMinutes(5), config.Members["plain"].Front.AnswerWithin);
        Assert.True(ListenAddress.TryParse(member.Listen[1], out var address) && address is { Port: 443, Tls: true });
    }

    [Theory]
    [InlineData("certificates: { wiki: { certificate: wiki.crt, key: /wiki.key } }", "certificates.wiki.certificate")]
    [InlineData("certificates: { wiki: { certificate: /wiki.crt } }", "certificates.wiki.key")]
    [InlineData("http3: true", "http3")]
    [InlineData("trusted-proxies: [all]", "trusted-proxies[0]")]
    [InlineData("answer-within: 1ms", "answer-within")]
    [InlineData("access-log: { file: access.log }", "access-log.file")]
    [InlineData("access-log: { file: \"-\", format: apache }", "access-log.format")]
    [InlineData("access-log: { file: \"-\", rotate: 1K }", "access-log.rotate")]
    [InlineData("hold-bytes: many", "hold-bytes")]
    [InlineData("unavailable-page: sorry.html", "unavailable-page")]
    public void A_fault_in_what_readers_meet_names_its_key(string line, string key)
    {
        var faults = FaultsOf(Good.Replace("sites:", $$"""
            proxies:
              front: { address: 10.0.0.9, listen: ["http://0.0.0.0:80"], {{line}} }
            sites:
            """, StringComparison.Ordinal));
        Assert.Equal("proxies.front." + key, Assert.Single(faults).Key);
    }
}
