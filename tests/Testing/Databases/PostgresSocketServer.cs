using Mirror.Node.Apps;
using Mirror.Node.Configuration;

namespace Mirror.Testing.Databases;

/// <summary>A real PostgreSQL server that listens on a socket alone, its data in a scratch directory. As root it runs as the user postgres, since it refuses root.</summary>
public sealed class PostgresSocketServer : IAsyncDisposable
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);

    private readonly TemporaryDirectory directory;

    private PostgresSocketServer(TemporaryDirectory directory) => this.directory = directory;

    /// <summary>A scratch path beside the data.</summary>
    public string this[string name] => directory[name];

    public static PostgresSocketServer Start()
    {
        var server = new PostgresSocketServer(new TemporaryDirectory());
        if (Environment.IsPrivilegedProcess)
        {
            Shell.Run("chown postgres \"$1\"", server.directory.Path);
        }

        var data = server["data"];
        // "mirror" is let in without a password, "guarded" only with one.
        server.Run("initdb", "-D", data, "-U", "mirror", "--auth=trust", "--no-sync", "-E", "UTF8");
        Shell.Run("sed -i '1i local all guarded scram-sha-256' \"$1/pg_hba.conf\"", data);
        server.Run("pg_ctl", "-D", data, "-w", "-l", server["log"], "-o", $"-c listen_addresses='' -c unix_socket_directories={server.directory.Path} -c fsync=off", "start");
        return server;
    }

    public string Connection(string database, string user = "mirror") => $"Host={directory.Path};Database={database};Username={user}";

    public DatabaseConfig Database(string name, string user = "mirror") => new(name, DatabaseKind.Postgres, null, Connection(name, user));

    public Task<string> QueryAsync(string database, string sql) =>
        PostgresTool.RunAsync("psql", Connection(database), ["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql], CancellationToken.None);

    /// <summary>Completes when a query answers 1 (or t); a server that is just starting again is waited for.</summary>
    public async Task UntilAsync(string database, string sql)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!await IsAsync(database, sql))
        {
            if (TimeProvider.System.GetElapsedTime(began) > patience)
            {
                throw new TimeoutException($"After {patience.TotalSeconds} s this was still not so: {sql}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }
    }

    private async Task<bool> IsAsync(string database, string sql)
    {
        try
        {
            return (await QueryAsync(database, sql)).Trim() is "1" or "t";
        }
        catch (PostgresToolException starting) when (starting.Message.Contains("FATAL", StringComparison.Ordinal) || starting.Message.Contains("terminat", StringComparison.Ordinal))
        {
            return false;
        }
    }

    public ValueTask DisposeAsync()
    {
        Run("pg_ctl", "-D", directory["data"], "-w", "-m", "immediate", "stop");
        directory.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Run(string program, params string[] arguments)
    {
        var file = PostgresTool.Find(program) ?? throw new InvalidOperationException($"{program} is not installed; `./build.sh test` as root installs PostgreSQL.");
        string[] before = Environment.IsPrivilegedProcess ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : [];
        // Its output to a file: a server that was started would hold a pipe open.
        Shell.Run("cd /; log=$1; shift; \"$@\" >\"$log\" 2>&1 || { cat \"$log\" >&2; exit 1; }", [directory[$"{program}.out"], .. before, file, .. arguments]);
    }
}
