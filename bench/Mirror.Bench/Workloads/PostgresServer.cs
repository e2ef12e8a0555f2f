using CliWrap;
using CliWrap.Buffered;

namespace Mirror.Bench.Workloads;

/// <summary>A private PostgreSQL cluster on a Unix socket, gone with all it held when it is disposed.</summary>
internal sealed class PostgresServer : IAsyncDisposable
{
    /// <summary>Who owns it. initdb refuses root; Debian's packages bring this user.</summary>
    public const string User = "postgres";

    private readonly string _programs;
    private readonly string _place;

    private PostgresServer(string programs, string place)
    {
        _programs = programs;
        _place = place;
    }

    /// <summary>The directory of its socket: its host, for a client.</summary>
    public string Socket => _place;

    /// <summary>The one that all its sessions are children of.</summary>
    public int Process => int.Parse(File.ReadLines(Path.Combine(_place, "db", "postmaster.pid")).First(), System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Where initdb, pg_ctl, pgbench and pg_dump are together; null: not on this machine.</summary>
    public static string? Programs()
    {
        string[] needed = ["initdb", "pg_ctl", "pgbench", "pg_dump", "createdb", "psql"];
        var debian = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").OrderByDescending(folder => int.TryParse(Path.GetFileName(folder), out var major) ? major : 0).Select(folder => Path.Combine(folder, "bin"))
            : [];
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        return debian.Concat(path).FirstOrDefault(folder => needed.All(program => File.Exists(Path.Combine(folder, program))));
    }

    public static async Task<PostgresServer> StartAsync(string programs, string place)
    {
        var server = new PostgresServer(programs, place);
        await server.StartAsync();
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        if (File.Exists(Path.Combine(_place, "db", "postmaster.pid")))
        {
            await RunAsync("pg_ctl", "-D", Path.Combine(_place, "db"), "-m", "immediate", "-w", "stop");
        }

        Directory.Delete(_place, recursive: true);
    }

    private async Task StartAsync()
    {
        if (Directory.Exists(_place))
        {
            Directory.Delete(_place, recursive: true);
        }

        Directory.CreateDirectory(_place);
        if (Environment.IsPrivilegedProcess)
        {
            await CliWrap.Cli.Wrap("chown").WithArguments([User, _place]).ExecuteBufferedAsync();
        }

        var database = Path.Combine(_place, "db");
        await RunAsync("initdb", "-D", database, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync");
        // Neither durability nor the vacuum's own clock is measured; without the latter, where rows come to lie does not depend on time.
        var options = $"-k {_place} -c listen_addresses='' -c shared_buffers=512MB -c max_wal_size=4GB -c fsync=off -c synchronous_commit=off -c autovacuum=off";
        await RunAsync("pg_ctl", "-D", database, "-w", "-l", Path.Combine(_place, "log"), "-o", options, "start");
    }

    public Task RunAsync(string program, params string[] arguments) => RunAsync(PipeTarget.Null, program, arguments);

    public async Task RunAsync(PipeTarget output, string program, params string[] arguments)
    {
        var full = Path.Combine(_programs, program);
        string[] command = Environment.IsPrivilegedProcess ? ["runuser", "-u", User, "--", full, .. arguments] : [full, .. arguments];
        var errors = new System.Text.StringBuilder();
        var result = await CliWrap.Cli.Wrap(command[0])
            .WithArguments(command[1..])
            .WithWorkingDirectory(_place)
            .WithEnvironmentVariables(environment => environment.Set("PGHOST", _place))
            .WithStandardOutputPipe(output)
            .WithStandardErrorPipe(PipeTarget.ToStringBuilder(errors))
            .WithValidation(CommandResultValidation.None)
            .ExecuteAsync();
        if (!result.IsSuccess)
        {
            throw new BenchException(
                $"{string.Join(' ', command)} ended with {result.ExitCode}: {errors.ToString().Trim()}. The user {User} must be able to enter {_place} (put --work elsewhere), or make the dumps without a server: --synthetic.");
        }
    }
}
