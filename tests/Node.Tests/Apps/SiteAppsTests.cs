using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;
using Mirror.Node.Tests.Processes;

namespace Mirror.Node.Tests.Apps;

public sealed class SiteAppsTests : IAsyncLifetime, IDisposable
{
    private static readonly Dictionary<string, string> s_noDatabases = [];
    private readonly GuardFixture _fixture = new();
    private GuardClient _guard = null!;

    public async Task InitializeAsync() => _guard = await GuardFixture.StartGuardAsync();

    public async Task DisposeAsync() => await _guard.DisposeAsync();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task A_booted_app_is_healthy_and_knows_its_tree_port_slot_role_and_databases()
    {
        var app = TestApp(environment: new() { ["SLOT"] = "{slot}/{role}/{node}", ["DB"] = "{database:main}" }, arguments: ["--root={root}"]);

        await using var set = await Apps(app).BootAsync(Tree("a"), "a", "replica", new Dictionary<string, string> { ["main"] = "file.db" }, CancellationToken.None);

        using var http = new HttpClient();
        var seen = JsonDocument.Parse(await http.GetStringAsync(new Uri(set.Address + "/about"))).RootElement;
        Assert.Equal($"--root={Tree("a")}", seen.GetProperty("arguments").EnumerateArray().Last().GetString());
        Assert.Equal("a/replica/n1", seen.GetProperty("environment").GetProperty("SLOT").GetString());
        Assert.Equal("file.db", seen.GetProperty("environment").GetProperty("DB").GetString());
        Assert.Equal(Tree("a"), seen.GetProperty("directory").GetString());
        Assert.Equal(Tree("a"), set.Tree);
        Assert.True(GuardFixture.IsAlive(Assert.Single(set.ProcessIds)));
    }

    [Fact]
    public async Task An_app_sees_nothing_of_the_nodes_environment_but_the_harmless()
    {
        Environment.SetEnvironmentVariable("MIRROR_TEST_SECRET", "hunter2");
        await using var set = await Apps(TestApp()).BootAsync(Tree("a"), "a", "primary", s_noDatabases, CancellationToken.None);

        using var http = new HttpClient();
        var seen = await http.GetStringAsync(new Uri(set.Address + "/about"));

        Assert.DoesNotContain("MIRROR_TEST_SECRET", seen, StringComparison.Ordinal);
        Assert.Contains("\"PATH\"", seen, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Blue_and_green_run_side_by_side_on_ports_of_their_own()
    {
        var apps = Apps(TestApp());
        var boots = await Task.WhenAll(Enumerable.Range(0, 4).Select(i =>
            apps.BootAsync(Tree($"s{i}"), i % 2 == 0 ? "a" : "b", "replica", s_noDatabases, CancellationToken.None)));

        Assert.Equal(4, boots.Select(boot => boot.Address).Distinct().Count());
        foreach (var boot in boots)
        {
            await boot.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_port_somebody_else_listens_on_is_passed_over()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var taken = ((IPEndPoint)listener.LocalEndpoint).Port;

        var onlyTaken = await Assert.ThrowsAsync<AppUnhealthyException>(
            () => Apps(new PortRange(taken, taken), TestApp()).BootAsync(Tree("a"), "a", "replica", s_noDatabases, CancellationToken.None));
        await using var set = await Apps(new PortRange(taken, taken + 5), TestApp()).BootAsync(Tree("a"), "a", "replica", s_noDatabases, CancellationToken.None);

        Assert.Contains($"All ports {taken}–{taken}", onlyTaken.Message, StringComparison.Ordinal);
        Assert.InRange(new Uri(set.Address!).Port, taken + 1, taken + 5);
    }

    [Fact]
    public async Task Disposing_stops_the_apps_without_calling_it_a_failure_and_gives_the_ports_back()
    {
        var apps = Apps(FreeRange(1), TestApp());
        var set = await apps.BootAsync(Tree("a"), "a", "replica", s_noDatabases, CancellationToken.None);

        await set.DisposeAsync();
        await set.DisposeAsync();

        Assert.False(GuardFixture.IsAlive(set.ProcessIds[0]));
        Assert.False(set.Failed.IsCompleted);
        await using var again = await apps.BootAsync(Tree("a"), "a", "replica", s_noDatabases, CancellationToken.None);
        Assert.Equal(set.Address, again.Address);
    }

    [Fact]
    public async Task An_app_that_ends_on_its_own_is_a_failure_with_its_last_words()
    {
        await using var set = await Apps(TestApp()).BootAsync(Tree("a"), "a", "replica", s_noDatabases, CancellationToken.None);

        using var http = new HttpClient();
        await Assert.ThrowsAsync<HttpRequestException>(() => http.PostAsync(new Uri(set.Address + "/die"), null));

        var sentence = await set.Failed.WaitAsync(GuardFixture.Patience);
        Assert.StartsWith("App 'web' of site 'wiki' ended with exit code 3.", sentence, StringComparison.Ordinal);
        Assert.Contains("dying as asked", sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Apps_lost_with_the_guard_are_a_failure_that_says_so()
    {
        await using var set = await Apps(TestApp()).BootAsync(Tree("a"), "a", "replica", s_noDatabases, CancellationToken.None);

        GuardFixture.Signal(_guard.ProcessId, "KILL");

        Assert.Contains("was killed because the guard was lost", await set.Failed.WaitAsync(GuardFixture.Patience), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_app_that_ends_early_fails_the_boot_at_once_with_the_end_of_its_log()
    {
        Directory.CreateDirectory(Path.Combine(_fixture.Directory, "logs", "wiki"));
        await File.WriteAllTextAsync(Path.Combine(_fixture.Directory, "logs", "wiki", "web.log"), "from an earlier start\n");
        var app = ShellApp("for i in $(seq 100); do echo line $i; done; exit 3");

        var failure = await Assert.ThrowsAsync<AppUnhealthyException>(
            () => Apps(app).BootAsync(Tree("a"), "a", "replica", s_noDatabases, CancellationToken.None).WaitAsync(GuardFixture.Patience));

        Assert.Contains("ended with exit code 3", failure.Message, StringComparison.Ordinal);
        Assert.EndsWith("line 99\nline 100", failure.Message, StringComparison.Ordinal);
        Assert.Contains("\nline 81\n", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("line 80\n", failure.Message, StringComparison.Ordinal);

        var silent = await Assert.ThrowsAsync<AppUnhealthyException>(
            () => Apps(ShellApp("exit 4")).BootAsync(Tree("a"), "a", "replica", s_noDatabases, CancellationToken.None));
        Assert.EndsWith("ended with exit code 4.", silent.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_app_that_never_gets_healthy_is_stopped_and_so_are_those_before_it()
    {
        var sick = TestApp("sick", arguments: ["--status=503"]) with { StartWithin = TimeSpan.FromSeconds(8) };
        var well = TestApp("well");

        var failure = await Assert.ThrowsAsync<AppUnhealthyException>(
            () => Apps(well, sick).BootAsync(Tree("a"), "a", "replica", s_noDatabases, CancellationToken.None));

        Assert.Contains("App 'sick' of site 'wiki' was not healthy", failure.Message, StringComparison.Ordinal);
        Assert.Contains("its last answer was: status 503", failure.Message, StringComparison.Ordinal);
        foreach (var id in await Task.WhenAll(PidAsync("well"), PidAsync("sick")))
        {
            Assert.False(GuardFixture.IsAlive(id));
        }
    }

    [Fact]
    public async Task Giving_up_a_boot_stops_what_it_had_started()
    {
        using var giveUp = new CancellationTokenSource();
        var boot = Apps(TestApp("slow", arguments: ["--status=503"])).BootAsync(Tree("a"), "a", "replica", s_noDatabases, giveUp.Token);
        await GuardFixture.Until(() => File.Exists(LogOf("slow")) && File.ReadAllText(LogOf("slow")).Contains('\n'), "the app's first line");

        await giveUp.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => boot);
        Assert.False(GuardFixture.IsAlive(await PidAsync("slow")));
    }

    [Fact]
    public async Task A_program_that_is_not_there_fails_the_boot_and_an_unknown_placeholder_starts_nothing()
    {
        var missing = await Assert.ThrowsAsync<AppUnhealthyException>(
            () => Apps(ShellApp("") with { Command = ["/no/such"] }).BootAsync(Tree("a"), "a", "replica", s_noDatabases, CancellationToken.None));
        await Assert.ThrowsAsync<AppTemplateException>(
            () => Apps(ShellApp("echo {nonsense}")).BootAsync(Tree("a"), "a", "replica", s_noDatabases, CancellationToken.None));

        Assert.Contains("/no/such does not exist", missing.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(LogOf("web")) && new FileInfo(LogOf("web")).Length > 0);
    }

    [Fact]
    public async Task A_log_that_has_grown_is_put_aside_at_the_next_start()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(LogOf("web"))!);
        await using (var log = File.Create(LogOf("web")))
        {
            log.SetLength((10 << 20) + 1);
        }

        await using var set = await Apps(TestApp()).BootAsync(Tree("a"), "a", "replica", s_noDatabases, CancellationToken.None);

        Assert.Equal((10 << 20) + 1, new FileInfo(LogOf("web") + ".1").Length);
        Assert.InRange(new FileInfo(LogOf("web")).Length, 1, 10_000);
    }

    private static PortRange FreeRange(int size)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        return port + size <= 65_536 ? new(port, port + size - 1) : new(30_000, 30_000 + size - 1);
    }

    private static AppConfig TestApp(string name = "web", Dictionary<string, string>? environment = null, string[]? arguments = null) =>
        new(name, ["dotnet", GuardFixture.Host, "app", "--port={port}", .. arguments ?? []], environment ?? [], "/healthz", TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(5));

    private static AppConfig ShellApp(string script) =>
        new("web", ["/bin/sh", "-c", script], new Dictionary<string, string>(), "/healthz", TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(5));

    private SiteApps Apps(params AppConfig[] apps) => Apps(FreeRange(20), apps);

    private SiteApps Apps(PortRange ports, params AppConfig[] apps)
    {
        var member = new MemberConfig("n1", MemberKind.Node, "127.0.0.1", 1, 2, _fixture.Directory, [], TimeSpan.Zero, 0, ports);
        var files = new FilesConfig("/srv", [], TimeSpan.Zero, TimeSpan.Zero);
        return new(new("wiki", "n1", ["n1"], ["n1"], files, [], apps, [], [], false), member, _guard, TimeProvider.System);
    }

    private string Tree(string name) => Directory.CreateDirectory(Path.Combine(_fixture.Directory, name)).FullName;

    private string LogOf(string app) => Path.Combine(_fixture.Directory, "logs", "wiki", app + ".log");

    private async Task<int> PidAsync(string app)
    {
        var first = (await File.ReadAllLinesAsync(LogOf(app)))[0];
        return int.Parse(first["pid ".Length..], System.Globalization.CultureInfo.InvariantCulture);
    }
}
