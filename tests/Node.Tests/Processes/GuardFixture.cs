using System.Diagnostics;
using System.Globalization;
using Mirror.Node.Processes;

namespace Mirror.Node.Tests.Processes;

/// <summary>A scratch directory, guards as real processes, and waiting for what the kernel says of a process.</summary>
internal sealed class GuardFixture : IDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>
    /// For tests that wait for a stall. No shorter: the node's beats come from the test's own process, or from one that starts beside all other tests, and when those keep both cores busy
    /// for as long, the guard does what it is for.
    /// </summary>
    public static readonly TimeSpan ShortStall = TimeSpan.FromSeconds(6);

    private static readonly Dictionary<string, string> s_environment = new() { ["PATH"] = "/usr/bin:/bin" };

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("mirror-guard-").FullName;

    public string Log => Path.Combine(Directory, "app.log");

    public static string Host => Path.Combine(AppContext.BaseDirectory, "Mirror.Testing.GuardHost.dll");

    public static IReadOnlyList<string> GuardCommand => ["dotnet", Host, "guard"];

    public static Task<GuardClient> StartGuardAsync(TimeSpan? stall = null) =>
        GuardClient.StartAsync(GuardCommand, stall ?? TimeSpan.FromSeconds(30), TimeProvider.System, CancellationToken.None);

    /// <summary>An app that is a shell script.</summary>
    public AppLaunch Shell(string script, TimeSpan? stopWithin = null, params (string Name, string Value)[] environment) =>
        new("site/app", ["/bin/sh", "-c", script], Directory,
            s_environment.Concat(environment.Select(pair => KeyValuePair.Create(pair.Name, pair.Value))).ToDictionary(),
            Log, stopWithin ?? TimeSpan.FromSeconds(10));

    /// <summary>A node in a process of its own, with a guard and one app.</summary>
    public Task<NodeProcess> StartNodeAsync(TimeSpan stall, string script) =>
        StartAsync("node", stall.TotalMilliseconds.ToString(CultureInfo.InvariantCulture), Directory, "/bin/sh", "-c", script);

    /// <summary>The same as a node that holds a lease, with a voter to give it back to.</summary>
    public Task<NodeProcess> StartHolderAsync(TimeSpan lease, int voterPort, string pki, string script) => StartAsync(
        "holder", lease.TotalMilliseconds.ToString(CultureInfo.InvariantCulture), voterPort.ToString(CultureInfo.InvariantCulture), pki, Directory, "/bin/sh", "-c", script);

    public Task<NodeProcess> StartLockerAsync(Uri agent, string key, string session, string service, string script) => StartAsync(
        "locker", agent.ToString(), key, session, service, Directory, Directory, "/bin/sh", "-c", script);

    private static async Task<NodeProcess> StartAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Host, .. arguments]) { RedirectStandardOutput = true };
        var process = Process.Start(start)!;
        var line = await process.StandardOutput.ReadLineAsync().WaitAsync(Patience) ?? throw new InvalidOperationException("The node printed nothing.");
        var ids = line.Split(' ');
        return new(process, int.Parse(ids[0], CultureInfo.InvariantCulture), int.Parse(ids[1], CultureInfo.InvariantCulture));
    }

    public async Task<string> LogLineAsync(string prefix)
    {
        string? found = null;
        await Until(() =>
        {
            found = File.Exists(Log) ? File.ReadLines(Log).FirstOrDefault(line => line.StartsWith(prefix, StringComparison.Ordinal)) : null;
            return found is not null;
        }, $"a log line '{prefix}'");
        return found![prefix.Length..];
    }

    public async Task<int> LoggedIdAsync(string prefix) => int.Parse(await LogLineAsync(prefix), CultureInfo.InvariantCulture);

    public static Task UntilGone(params int[] processIds) => Until(() => !processIds.Any(IsAlive), $"the end of {string.Join(", ", processIds)}");

    public static async Task Until(Func<bool> condition, string what)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(clock.Elapsed < Patience, $"Waited too long for {what}.");
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
        }
    }

    public static bool IsAlive(int processId)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{processId}/stat");
            return stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    public static void Signal(int processId, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", processId.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
}

internal sealed record NodeProcess(Process Process, int GuardId, int AppId) : IDisposable
{
    public void Dispose()
    {
        Process.Kill();
        Process.Dispose();
    }
}
