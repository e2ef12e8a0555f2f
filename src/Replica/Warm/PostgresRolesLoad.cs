using System.Text;
using System.Text.RegularExpressions;
using Mirror.Node.Apps;

namespace Mirror.Replica.Warm;

/// <summary>
/// Makes the roles that a version has beside its dump of PostgreSQL and that this server lacks: what the dump grants is granted to somebody then. A role that is here already is left alone, with its password, its rights and its
/// memberships. Only statements about new roles are taken from the file; they reach the server by a file that nobody else can read, and errors come back without the statement, so that passwords are in neither <c>ps</c> nor a log.
/// </summary>
internal static partial class PostgresRolesLoad
{
    private const long LongestFile = 16 << 20;

    /// <param name="file">What <c>pg_dumpall --globals-only</c> wrote; when there is none, nothing is done.</param>
    /// <param name="connection">Of the server, and any of its databases.</param>
    /// <returns>What could not be made, with the server's reason and what to do; null when no role is missing any more.</returns>
    /// <exception cref="PostgresToolException">The server does not answer.</exception>
    public static async Task<string?> RunAsync(string file, string connection, CancellationToken cancellation)
    {
        if (!File.Exists(file))
        {
            return null;
        }

        if (new FileInfo(file).Length > LongestFile)
        {
            throw new InvalidDataException($"{file} is longer than a list of roles can be.");
        }

        var statements = Statements(await File.ReadAllTextAsync(file, Encoding.UTF8, cancellation));
        var there = (await QueryAsync(connection, "select quote_ident(rolname) from pg_roles", cancellation)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Name).ToHashSet(StringComparer.Ordinal);
        var made = new Dictionary<string, StringBuilder>(StringComparer.Ordinal);
        var grants = new List<(string Member, string Statement)>();
        foreach (var statement in statements)
        {
            if (CreatePattern().Match(statement) is { Success: true } create && !there.Contains(Name(create.Groups["role"].Value)))
            {
                made.TryAdd(Name(create.Groups["role"].Value), new StringBuilder(statement).Append(";\n"));
            }
            else if (AlterPattern().Match(statement) is { Success: true } alter && made.TryGetValue(Name(alter.Groups["role"].Value), out var script))
            {
                script.Append(statement).Append(";\n");
            }
            else if (GrantPattern().Match(statement) is { Success: true } grant && made.ContainsKey(Name(grant.Groups["member"].Value)))
            {
                // By whom is not to be told: here it is whoever loads.
                grants.Add((Name(grant.Groups["member"].Value), grant.Groups["what"].Value));
            }
        }

        var failed = new List<string>();
        foreach (var (role, script) in made)
        {
            await TryAsync(role, script.ToString());
        }

        foreach (var (member, statement) in grants)
        {
            await TryAsync(member, statement + ";\n");
        }

        return failed.Count == 0 ? null
            : $"Of the roles that the version brings, some could not be made on this server ({string.Join("; ", failed.Distinct())}). Give the user that Mirror connects as the right to (CREATEROLE; for roles that are superusers, SUPERUSER), or make them yourself; `roles: none` leaves roles out of versions.";

        async Task TryAsync(string role, string script)
        {
            try
            {
                await RunScriptAsync(connection, script, cancellation);
            }
            catch (PostgresToolException failure)
            {
                var said = ErrorPattern().Match(failure.Message) is { Success: true } error ? error.Groups["text"].Value.Trim() : "the client failed";
                if (!said.EndsWith("already exists", StringComparison.Ordinal))
                {
                    failed.Add($"{role}: {said}");
                }
            }
        }
    }

    private static async Task RunScriptAsync(string connection, string script, CancellationToken cancellation)
    {
        var file = Path.Combine(Path.GetTempPath(), $"mirror-{Guid.NewGuid():N}.sql");
        try
        {
            await using (var written = new FileStream(file, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            {
                await written.WriteAsync(Encoding.UTF8.GetBytes(script), cancellation);
            }

            await PostgresTool.RunAsync(
                "psql", connection, ["-X", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "--single-transaction", "-d", "postgres", "-f", file], cancellation);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static Task<string> QueryAsync(string connection, string sql, CancellationToken cancellation) =>
        PostgresTool.RunAsync("psql", connection, ["-X", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c", sql], cancellation);

    // Cut at semicolons that are in no name and no text. What psql would take for a word of its own (a line that begins with a backslash) is no part of any statement that is taken.
    private static List<string> Statements(string text)
    {
        var statements = new List<string>();
        var at = 0;
        var quote = '\0';
        for (var i = 0; i < text.Length; i++)
        {
            if (quote != '\0')
            {
                quote = text[i] == quote ? '\0' : quote;
            }
            else if (text[i] is '\'' or '"')
            {
                quote = text[i];
            }
            else if (text[i] == '-' && i + 1 < text.Length && text[i + 1] == '-')
            {
                var end = text.IndexOf('\n', i);
                i = end < 0 ? text.Length : end;
                at = i + 1;
            }
            else if (text[i] == ';')
            {
                statements.Add(text[at..i].Trim());
                at = i + 1;
            }
        }

        return statements;
    }

    // As it is written in SQL → as it is.
    private static string Name(string identifier) => identifier.StartsWith('"') ? identifier[1..^1].Replace("\"\"", "\"", StringComparison.Ordinal) : identifier;

    private const string Role = """(?:"(?:[^"\n\\]|"")+"|[a-z_][a-z0-9_$]*)""";

    // One line each, and nothing in them that psql itself would act upon.
    [GeneratedRegex($@"\ACREATE ROLE (?<role>{Role})\z", RegexOptions.CultureInvariant)]
    private static partial Regex CreatePattern();

    [GeneratedRegex($@"\AALTER ROLE (?<role>{Role}) (?:WITH|SET) [^\n\\]+\z", RegexOptions.CultureInvariant)]
    private static partial Regex AlterPattern();

    [GeneratedRegex($@"\A(?<what>GRANT {Role} TO (?<member>{Role})(?: WITH (?:ADMIN|INHERIT|SET) (?:OPTION|TRUE|FALSE)(?:, (?:ADMIN|INHERIT|SET) (?:OPTION|TRUE|FALSE))*)?)(?: GRANTED BY {Role})?\z", RegexOptions.CultureInvariant)]
    private static partial Regex GrantPattern();

    [GeneratedRegex(@"ERROR:\s+(?<text>[^\n]*)", RegexOptions.CultureInvariant)]
    private static partial Regex ErrorPattern();
}
