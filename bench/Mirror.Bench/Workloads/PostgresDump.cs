using System.Globalization;
using CliWrap;
using CliWrap.Buffered;

namespace Mirror.Bench.Workloads;

/// <summary>
/// Real dumps: a private PostgreSQL cluster on a Unix socket, pgbench's tables, and a dump before and after a fixed number of its transactions from one client with a fixed seed.
/// Only the times in the history table differ from run to run.
/// </summary>
internal sealed class PostgresDump : IAsyncDisposable
{
    private const int FullScale = 45;

    // initdb refuses root; Debian's packages bring this user.
    private const string ServerUser = "postgres";

    private readonly string _programs;
    private readonly string _place;

    private PostgresDump(string programs, string place)
    {
        _programs = programs;
        _place = place;
    }

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

    public static async Task MakeAsync(string programs, string work, string[] versions, DumpKind kind, double scale)
    {
        await using var server = new PostgresDump(programs, Path.Combine(work, "postgres"));
        await server.StartAsync();
        var size = Math.Max(1, (int)Math.Round(FullScale * scale));
        var transactions = Math.Max(10, (int)(kind.Transactions * scale));
        await server.RunAsync("createdb", "shop");
        await server.RunAsync("pgbench", "-i", "-q", "-s", Text(size), "shop");
        if (kind.IsHex)
        {
            await server.RunAsync(
                "psql", "-q", "shop",
                "-c", "UPDATE pgbench_accounts SET filler = left(encode(sha256(aid::text::bytea), 'hex') || md5(aid::text), 84)",
                "-c", "VACUUM FULL pgbench_accounts");
        }

        await server.DumpAsync(versions[0]);
        await server.RunAsync("pgbench", "--random-seed=7", "-c", "1", "-t", Text(transactions), "shop");
        await server.DumpAsync(versions[1]);
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
            await CliWrap.Cli.Wrap("chown").WithArguments([ServerUser, _place]).ExecuteBufferedAsync();
        }

        var database = Path.Combine(_place, "db");
        await RunAsync("initdb", "-D", database, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync");
        // Neither durability nor the vacuum's own clock is measured; without the latter, where rows come to lie does not depend on time.
        var options = $"-k {_place} -c listen_addresses='' -c shared_buffers=512MB -c max_wal_size=4GB -c fsync=off -c synchronous_commit=off -c autovacuum=off";
        await RunAsync("pg_ctl", "-D", database, "-w", "-l", Path.Combine(_place, "log"), "-o", options, "start");
    }

    private Task DumpAsync(string version)
    {
        var file = Path.Combine(version, DumpKind.FileName);
        return RunAsync(PipeTarget.ToFile(file), "pg_dump", "-Fp", "shop");
    }

    private Task RunAsync(string program, params string[] arguments) => RunAsync(PipeTarget.Null, program, arguments);

    private async Task RunAsync(PipeTarget output, string program, params string[] arguments)
    {
        var full = Path.Combine(_programs, program);
        string[] command = Environment.IsPrivilegedProcess ? ["runuser", "-u", ServerUser, "--", full, .. arguments] : [full, .. arguments];
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
                $"{string.Join(' ', command)} ended with {result.ExitCode}: {errors.ToString().Trim()}. The user {ServerUser} must be able to enter {_place} (put --work elsewhere), or make the dumps without a server: --synthetic.");
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
