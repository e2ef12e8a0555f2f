using System.Data.Common;
using System.Text.RegularExpressions;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Node.Apps;

/// <summary>
/// MariaDB's own client programs (or MySQL's, where only those are installed), against the server of a connection string. Host, user and database are arguments; a password never is: it comes
/// from the option file that the configuration names, from the client's own option files, or from MYSQL_PWD.
/// </summary>
public static partial class MariaDbTool
{
    private static readonly (string MariaDb, string MySql)[] names = [("mariadb-dump", "mysqldump"), ("mariadb", "mysql")];

    /// <summary>Path of mariadb-dump or mariadb, or of what it is called by MySQL; null when neither is installed.</summary>
    public static string? Find(string program) => PostgresTool.Find(program) ?? PostgresTool.Find(names.Single(pair => pair.MariaDb == program).MySql);

    /// <param name="program">mariadb-dump or mariadb.</param>
    /// <exception cref="ToolException">It is not installed.</exception>
    public static Tool Make(string program, DatabaseConfig database, string connection, IReadOnlyList<string> arguments)
    {
        var file = Find(program) ?? throw new ToolException(
            $"The program {program} is not installed on this machine. Install the MariaDB client (Debian: apt-get install mariadb-client), of the server's version or newer.");
        return new Tool(file, [.. OptionFile(database), .. ServerOptions(connection, IsOfMySql(program)), .. arguments]);
    }

    /// <summary>Only MySQL's own clients are installed. They know some options that MariaDB's do not, and the other way round.</summary>
    /// <param name="program">mariadb-dump or mariadb.</param>
    public static bool IsOfMySql(string program) => PostgresTool.Find(program) is null;

    /// <summary>Runs statements; rows are lines, columns are parted by tabs.</summary>
    /// <param name="name">The database to be in; null: none.</param>
    public static async Task<IReadOnlyList<string[]>> QueryAsync(DatabaseConfig database, string connection, string? name, string sql, TimeProvider time, CancellationToken cancellation)
    {
        string[] inside = name is null ? [] : ["--database=" + name];
        var tool = Make("mariadb", database, connection, ["--batch", "--skip-column-names", "--connect-timeout=10", "--default-character-set=utf8mb4", "--no-auto-rehash", .. inside]) with
        {
            // Not as an argument: a list of tables may be longer than those can be.
            Input = async (input, token) => await input.WriteAsync(System.Text.Encoding.UTF8.GetBytes(sql), token),
        };
        var output = await tool.RunAsync(time, cancellation);
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t').Select(Unescaped).ToArray())];
    }

    /// <summary>A client older than its server dumps what it does not know as something else. Null when the two go together; else what is wrong, and what to do.</summary>
    /// <param name="client">What <c>mariadb-dump --version</c> says.</param>
    /// <param name="server">What <c>select version()</c> says.</param>
    public static string? WrongVersions(string client, string server)
    {
        var (ours, theirs) = (ClientPattern().Match(client), ServerPattern().Match(server));
        if (!ours.Success || !theirs.Success)
        {
            return $"The versions of client ({client.Trim()}) and server ({server}) cannot be understood.";
        }

        var (clientOfMariaDb, serverOfMariaDb) = (client.Contains("MariaDB", StringComparison.Ordinal), server.Contains("MariaDB", StringComparison.Ordinal));
        if (!clientOfMariaDb && serverOfMariaDb)
        {
            return $"The server is MariaDB ({server}), and the only client installed is MySQL's ({client.Trim()}). Install mariadb-client.";
        }

        return clientOfMariaDb == serverOfMariaDb && Number(ours).CompareTo(Number(theirs)) < 0
            ? $"The client ({client.Trim()}) is older than the server ({server}). Install a client of the server's version or newer."
            : null;
    }

    /// <summary>As a name in SQL.</summary>
    public static string Identifier(string name) => $"`{name.Replace("`", "``", StringComparison.Ordinal)}`";

    /// <summary>As a text in SQL, whatever the server's mode.</summary>
    public static string Literal(string text) => $"convert(0x{Convert.ToHexString(System.Text.Encoding.UTF8.GetBytes(text))} using utf8mb4)";

    /// <summary>For a person: where the server is.</summary>
    public static string ServerOf(string connection)
    {
        var parts = new DbConnectionStringBuilder { ConnectionString = connection };
        return Part(parts, hostKeys) is not { } host ? "this machine" : host.StartsWith('/') ? host : $"{host}:{Part(parts, portKeys) ?? "3306"}";
    }

    private static string[] OptionFile(DatabaseConfig database) => database.OptionFile is { } file ? ["--defaults-extra-file=" + file] : [];

    private static IEnumerable<string> ServerOptions(string connection, bool ofMySql)
    {
        var parts = new DbConnectionStringBuilder { ConnectionString = connection };
        if (Part(parts, hostKeys) is { } host)
        {
            // A path is that of a socket.
            yield return host.StartsWith('/') ? "--socket=" + host : "--host=" + host;
        }

        if (Part(parts, portKeys) is { } port)
        {
            yield return "--port=" + port;
        }

        if (Part(parts, userKeys) is { } user)
        {
            yield return "--user=" + user;
        }

        switch ((Part(parts, sslKeys) ?? "").ToUpperInvariant())
        {
            case "NONE" or "DISABLED":
                yield return ofMySql ? "--ssl-mode=DISABLED" : "--skip-ssl";
                break;
            case "REQUIRED":
                yield return ofMySql ? "--ssl-mode=REQUIRED" : "--ssl";
                break;
            case "VERIFYCA" or "VERIFYFULL":
                yield return ofMySql ? "--ssl-mode=VERIFY_IDENTITY" : "--ssl-verify-server-cert";
                break;
        }
    }

    private static readonly string[] hostKeys = ["Server", "Host", "Data Source"];
    private static readonly string[] portKeys = ["Port"];
    private static readonly string[] userKeys = ["User ID", "Username", "User Name", "Uid", "User"];
    private static readonly string[] sslKeys = ["SSL Mode", "SslMode"];

    private static string? Part(DbConnectionStringBuilder parts, string[] keys) =>
        keys.Where(parts.ContainsKey).Select(key => parts[key] as string).FirstOrDefault(value => !string.IsNullOrEmpty(value));

    private static (int, int) Number(Match version) => (Parse(version.Groups[1]), Parse(version.Groups[2]));

    private static int Parse(Group digits) => int.Parse(digits.ValueSpan, System.Globalization.CultureInfo.InvariantCulture);

    // What the client does to tabs and line ends in batch mode, back.
    private static string Unescaped(string text) => !text.Contains('\\', StringComparison.Ordinal) ? text
        : EscapePattern().Replace(text, match => match.Value[1] switch { 'n' => "\n", 't' => "\t", '0' => "\0", var other => other.ToString() });

    [GeneratedRegex(@"\\(.)", RegexOptions.CultureInvariant)]
    private static partial Regex EscapePattern();

    // "Ver 10.19 Distrib 10.11.6-MariaDB", "from 11.4.2-MariaDB, client 10.19": the number before the name counts. MySQL's say "Ver 8.0.36 for Linux", or "Ver 9.7.4-2 for Linux" where a distribution made it.
    [GeneratedRegex(@"(?<=\s)([0-9]{1,4})\.([0-9]{1,4})\.[0-9]+(?:-MariaDB|\S* for )", RegexOptions.CultureInvariant)]
    private static partial Regex ClientPattern();

    [GeneratedRegex(@"^(?:5\.5\.5-)?([0-9]{1,4})\.([0-9]{1,4})\.[0-9]+", RegexOptions.CultureInvariant)]
    private static partial Regex ServerPattern();
}
