using System.Data.Common;
using System.Text;
using CliWrap;
using CliWrap.Buffered;
using Mirror.Node.Processes;

namespace Mirror.Node.Apps;

/// <summary>A PostgreSQL client program that failed: which, with what it said and what to do.</summary>
public sealed class PostgresToolException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Runs PostgreSQL's own client programs against the server of a connection string. Parameters go by the environment libpq reads, so neither they nor a password
/// show in <c>ps</c>; the password itself comes from PGPASSFILE, PGPASSWORD or the server's trust.
/// </summary>
public static class PostgresTool
{
    private static readonly string[] places = ["/usr/bin", "/usr/local/bin"];

    /// <exception cref="PostgresToolException">The program is missing, or ended with an error.</exception>
    public static async Task<string> RunAsync(string program, string connection, IReadOnlyList<string> arguments, CancellationToken cancellation, Niceness? niceness = null)
    {
        var found = Find(program) ?? throw new PostgresToolException(
            $"The program {program} is not installed on this machine. Install the PostgreSQL client (Debian: apt-get install postgresql-client), of the server's major version or newer.");
        var (file, all) = (niceness ?? Niceness.None).Wrap(found, arguments);
        BufferedCommandResult result;
        try
        {
            result = await CliWrap.Cli.Wrap(file)
                .WithArguments(all)
                .WithEnvironmentVariables(Environment(connection))
                .WithValidation(CommandResultValidation.None)
                .ExecuteBufferedAsync(Encoding.UTF8, cancellation);
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            throw new PostgresToolException($"{file} could not be started: {failure.Message}. Check that it can be run by this user.", failure);
        }

        if (result.ExitCode != 0)
        {
            throw new PostgresToolException($"{program} ended with exit code {result.ExitCode}: {result.StandardError.Trim()}");
        }

        return result.StandardOutput;
    }

    /// <summary>Full path of a client program: on the PATH, or where Debian keeps the newest version's; null when there is none.</summary>
    public static string? Find(string program)
    {
        var path = (System.Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Concat(places);
        if (path.Select(directory => Path.Combine(directory, program)).FirstOrDefault(File.Exists) is { } found)
        {
            return found;
        }

        const string debian = "/usr/lib/postgresql";
        return !Directory.Exists(debian)
            ? null
            : Directory.GetDirectories(debian)
                .OrderByDescending(directory => int.TryParse(Path.GetFileName(directory), out var version) ? version : 0)
                .Select(directory => Path.Combine(directory, "bin", program))
                .FirstOrDefault(File.Exists);
    }

    private static Dictionary<string, string?> Environment(string connection)
    {
        var builder = new DbConnectionStringBuilder { ConnectionString = connection };
        var environment = new Dictionary<string, string?> { ["PGCONNECT_TIMEOUT"] = "10", ["LC_MESSAGES"] = "C" };
        foreach (var (variable, keys) in variables)
        {
            foreach (var key in keys)
            {
                if (builder.TryGetValue(key, out var value))
                {
                    environment[variable] = (string)value;
                }
            }
        }

        return environment;
    }

    private static readonly (string Variable, string[] Keys)[] variables =
    [
        ("PGHOST", ["Host", "Server"]), ("PGPORT", ["Port"]), ("PGDATABASE", ["Database", "Db"]), ("PGUSER", ["Username", "User Id", "User Name", "User"]),
        ("PGPASSFILE", ["Passfile"]), ("PGSSLMODE", ["SSL Mode", "SslMode"]),
    ];
}
