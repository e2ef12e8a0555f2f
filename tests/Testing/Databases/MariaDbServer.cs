using System.Diagnostics;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Testing.Databases;

/// <summary>A real MariaDB server that listens on a socket alone, its data in a scratch directory. As root it runs as the user mysql.</summary>
public sealed class MariaDbServer : IAsyncDisposable
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);

    private readonly TemporaryDirectory directory;
    private readonly Process process;

    private MariaDbServer(TemporaryDirectory directory, Process process)
    {
        this.directory = directory;
        this.process = process;
    }

    public string Socket => directory["socket"];

    public static async Task<MariaDbServer> StartAsync()
    {
        var directory = new TemporaryDirectory();
        var data = directory["data"];
        string[] user = Environment.IsPrivilegedProcess ? ["--user=mysql"] : [];
        if (Environment.IsPrivilegedProcess)
        {
            Shell.Run("chown mysql \"$1\"", directory.Path);
        }

        Shell.Run(
            "log=$1; shift; \"$@\" >\"$log\" 2>&1 || { cat \"$log\" >&2; exit 1; }",
            [directory["install.log"], Program("mariadb-install-db"), "--no-defaults", "--datadir=" + data, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", .. user]);
        var start = new ProcessStartInfo(Program("mariadbd"));
        foreach (var argument in (string[])[
            "--no-defaults", "--datadir=" + data, "--socket=" + directory["socket"], "--pid-file=" + directory["pid"], "--log-error=" + directory["log"], "--skip-networking", "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--event-scheduler=OFF", .. user])
        {
            start.ArgumentList.Add(argument);
        }

        var server = new MariaDbServer(directory, Process.Start(start) ?? throw new InvalidOperationException("mariadbd could not be started."));
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                await server.QueryAsync(null, "select 1;");
                return server;
            }
            catch (ToolException notYet) when (!server.process.HasExited && TimeProvider.System.GetElapsedTime(began) < patience)
            {
                _ = notYet;
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
            }
        }
    }

    public string Connection(string database, string user = "root") => $"Server={Socket};Database={database};User ID={user}";

    public DatabaseConfig Database(string name, string user = "root") => new(name, DatabaseKind.MariaDb, null, Connection(name, user));

    public Task<IReadOnlyList<string[]>> QueryAsync(string? database, string sql) =>
        MariaDbTool.QueryAsync(Database(database ?? "mysql"), Connection(database ?? "mysql"), database, sql, TimeProvider.System, CancellationToken.None);

    /// <summary>The first column of the first row.</summary>
    public async Task<string> ValueAsync(string database, string sql) => (await QueryAsync(database, sql))[0][0];

    /// <summary>Statements as a client sends them from a file, with words such as DELIMITER.</summary>
    public void Load(string database, string sql)
    {
        File.WriteAllText(directory["load.sql"], sql);
        Shell.Run("mariadb --no-defaults --socket=\"$1\" --user=root --default-character-set=utf8mb4 \"$2\" <\"$3\"", Socket, database, directory["load.sql"]);
    }

    /// <summary>Completes when a query gives another answer than nothing or 0.</summary>
    public async Task UntilAsync(string database, string sql)
    {
        var began = TimeProvider.System.GetTimestamp();
        while ((await QueryAsync(database, sql)) is not [["1", ..], ..])
        {
            if (TimeProvider.System.GetElapsedTime(began) > patience)
            {
                throw new TimeoutException($"After {patience.TotalSeconds} s this was still not so: {sql}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        directory.Dispose();
    }

    private static string Program(string name) =>
        new[] { "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin" }.Select(place => System.IO.Path.Combine(place, name)).FirstOrDefault(File.Exists)
        ?? throw new InvalidOperationException($"{name} is not installed; `./build.sh test` as root installs mariadb-server.");
}
