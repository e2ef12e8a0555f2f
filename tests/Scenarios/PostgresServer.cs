using System.Globalization;
using CliWrap;
using CliWrap.Buffered;
using Mirror.Cli.Demo;
using Mirror.Node.Apps;
using Mirror.Testing;

namespace Mirror.Scenarios;

/// <summary>A real PostgreSQL server on a free loopback port, its data in a scratch directory. As root it runs as the user postgres, since it refuses root.</summary>
internal sealed class PostgresServer : IAsyncDisposable
{
    private readonly TemporaryDirectory directory;
    private readonly string data;

    private PostgresServer(TemporaryDirectory directory, int port)
    {
        this.directory = directory;
        data = Path.Combine(directory.Path, "data");
        Port = port;
    }

    public int Port { get; }

    public string Connection(string database) => string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={Port};Database={database};Username=mirror");

    public static async Task<PostgresServer> StartAsync()
    {
        var server = new PostgresServer(new TemporaryDirectory(), LocalCluster.FreePorts(1)[0]);
        if (Environment.IsPrivilegedProcess)
        {
            await RunAsync("chown", "postgres", server.directory.Path);
        }

        await server.AsPostgresAsync("initdb", "-D", server.data, "-U", "mirror", "--auth=trust", "--no-sync", "-E", "UTF8");
        var options = string.Create(CultureInfo.InvariantCulture, $"-p {server.Port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={server.directory.Path} -c fsync=off");
        await server.AsPostgresAsync("pg_ctl", "-D", server.data, "-w", "-l", Path.Combine(server.directory.Path, "log"), "-o", options, "start");
        return server;
    }

    public Task<string> QueryAsync(string database, string sql) =>
        PostgresTool.RunAsync("psql", Connection(database), ["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql], CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await AsPostgresAsync("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop");
        directory.Dispose();
    }

    private Task AsPostgresAsync(string program, params string[] arguments)
    {
        var file = PostgresTool.Find(program) ?? throw new InvalidOperationException($"{program} is not installed; `./build.sh test` as root installs PostgreSQL.");
        return Environment.IsPrivilegedProcess
            ? RunAsync("setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", file, .. arguments])
            : RunAsync(file, arguments);
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        var result = await CliWrap.Cli.Wrap(program).WithArguments(arguments).WithWorkingDirectory("/")
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
        Assert.True(result.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {result.StandardError}{result.StandardOutput}");
    }
}
