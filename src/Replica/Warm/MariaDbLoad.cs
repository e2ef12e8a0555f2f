using System.Text;
using System.Text.RegularExpressions;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;

namespace Mirror.Replica.Warm;

/// <summary>
/// Loads a dump of MariaDB, which is a file for each table and one that lists them in their order, into a database made for it. The client is told to take nothing in the dump for a command of
/// its own, and stops at the first statement that fails. Events are loaded asleep.
/// </summary>
internal static partial class MariaDbLoad
{
    private const string Contents = "contents";
    private const long LongestContents = 16 << 20;

    // What is no table's: routines and events, and views.
    private const string TablePrefix = "table.";

    /// <summary>Whatever is in a database of that name goes.</summary>
    public static async Task RunAsync(string dump, DatabaseConfig database, string connection, string name, TimeProvider time, CancellationToken cancellation)
    {
        var listed = Read(dump);
        var identifier = MariaDbTool.Identifier(name);
        await MariaDbTool.QueryAsync(
            database, connection, null, $"drop database if exists {identifier}; create database {identifier} character set {listed.Charset} collate {listed.Collation};", time, cancellation);
        await (MariaDbTool.Make(
            "mariadb", database, connection,
            ["--batch", "--binary-mode", "--connect-timeout=10", "--default-character-set=utf8mb4", "--max-allowed-packet=1G", "--database=" + name]) with
        {
            Within = database.Within,
            Input = (input, token) => FeedAsync(listed.Files, input, token),
        }).RunAsync(time, cancellation);

        // One that a server wrote down in words nobody here knows.
        await MariaDbEvents.PutToSleepAsync(database, connection, name, time, cancellation);
    }

    private sealed record Listed(string Charset, string Collation, IReadOnlyList<string> Files);

    private static async Task FeedAsync(IReadOnlyList<string> files, Stream input, CancellationToken cancellation)
    {
        foreach (var file in files)
        {
            await using var content = File.OpenRead(file);
            await (Path.GetFileName(file).StartsWith(TablePrefix, StringComparison.Ordinal)
                ? content.CopyToAsync(input, 256 << 10, cancellation)
                : MariaDbEvents.CopyAsync(content, input, cancellation));
        }
    }

    private static Listed Read(string dump)
    {
        var contents = Path.Combine(dump, Contents);
        if (!File.Exists(contents))
        {
            throw new FileNotFoundException($"{contents} is not in this version: it has no dump of a MariaDB database there.");
        }

        if (new FileInfo(contents).Length > LongestContents)
        {
            throw new InvalidDataException($"{contents} is longer than a list of tables can be.");
        }

        var (charset, collation, files) = ("", "", new List<string>());
        foreach (var line in File.ReadLines(contents, Encoding.UTF8))
        {
            var (word, value) = line.IndexOf(' ', StringComparison.Ordinal) is var space and > 0 ? (line[..space], line[(space + 1)..]) : (line, "");
            switch (word)
            {
                case "charset" when WordPattern().IsMatch(value):
                    charset = value;
                    break;
                case "collation" when WordPattern().IsMatch(value):
                    collation = value;
                    break;
                case "file" when value.Length > 0 && value == Path.GetFileName(value) && value is not (Contents or "." or ".."):
                    files.Add(Path.Combine(dump, value));
                    break;
                default:
                    throw new InvalidDataException($"{contents} has a line that means nothing: {line[..Math.Min(line.Length, 80)]}");
            }
        }

        return charset.Length > 0 && collation.Length > 0 && files.Count > 0
            ? new Listed(charset, collation, files)
            : throw new InvalidDataException($"{contents} is no list of a dump's files.");
    }

    [GeneratedRegex("^[A-Za-z0-9_]{1,64}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex WordPattern();
}
