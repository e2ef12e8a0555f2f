using System.Text;
using System.Text.RegularExpressions;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;

namespace Mirror.Replica.Warm;

/// <summary>
/// Events of MariaDB belong to the site, and run on its primary alone: one that sends mails must not send them again from every replica. So a dump is loaded with them disabled, by the server's own word for it
/// (<c>DISABLE ON SLAVE</c>), which tells them from those that somebody switched off. A primary enables them when its reign begins, and puts them to sleep again when it retires.
/// </summary>
public static partial class MariaDbEvents
{
    private const string Asleep = "DISABLE ON SLAVE";

    // More text than anybody's routines; what is longer is loaded as it is, and put to sleep afterwards.
    private const int LongestFile = 64 << 20;

    /// <summary>From now on they run in the databases of this tree.</summary>
    /// <returns>How many were asleep.</returns>
    /// <exception cref="Node.Processes.ToolException">The server does not answer, or forbids it.</exception>
    public static Task<int> WakeAsync(SiteConfig site, string tree, string slot, TimeProvider time, CancellationToken cancellation) =>
        OfAllAsync(site, tree, slot, "SLAVESIDE_DISABLED", "ENABLE", time, cancellation);

    /// <summary>From now on they do not.</summary>
    /// <exception cref="Node.Processes.ToolException">The server does not answer, or forbids it.</exception>
    public static Task<int> PutToSleepAsync(SiteConfig site, string tree, string slot, TimeProvider time, CancellationToken cancellation) =>
        OfAllAsync(site, tree, slot, "ENABLED", Asleep, time, cancellation);

    internal static Task<int> WakeAsync(DatabaseConfig database, string connection, string name, TimeProvider time, CancellationToken cancellation) =>
        AlterAsync(database, connection, name, "SLAVESIDE_DISABLED", "ENABLE", time, cancellation);

    internal static Task<int> PutToSleepAsync(DatabaseConfig database, string connection, string name, TimeProvider time, CancellationToken cancellation) =>
        AlterAsync(database, connection, name, "ENABLED", Asleep, time, cancellation);

    /// <summary>Copies a file of a dump; an event that is made in it is made asleep, so that it never runs, not even once.</summary>
    internal static async Task CopyAsync(FileStream dump, Stream output, CancellationToken cancellation)
    {
        if (dump.Length > LongestFile)
        {
            await dump.CopyToAsync(output, 256 << 10, cancellation);
            return;
        }

        // Each byte is a character: what is not changed comes out as it went in.
        var bytes = new byte[dump.Length];
        await dump.ReadExactlyAsync(bytes, cancellation);
        await output.WriteAsync(Encoding.Latin1.GetBytes(CreatePattern().Replace(Encoding.Latin1.GetString(bytes), "$1" + Asleep)), cancellation);
    }

    private static async Task<int> OfAllAsync(SiteConfig site, string tree, string slot, string status, string become, TimeProvider time, CancellationToken cancellation)
    {
        var altered = 0;
        foreach (var database in site.Databases.Where(database => database.Kind == DatabaseKind.MariaDb))
        {
            var connection = SlotDatabases.Locate(database, tree, slot);
            altered += await AlterAsync(database, connection, SlotDatabases.DatabaseOf(connection), status, become, time, cancellation);
        }

        return altered;
    }

    private static async Task<int> AlterAsync(DatabaseConfig database, string connection, string name, string status, string become, TimeProvider time, CancellationToken cancellation)
    {
        var events = await MariaDbTool.QueryAsync(
            database, connection, null, $"select event_name from information_schema.events where event_schema = {MariaDbTool.Literal(name)} and status = '{status}';", time, cancellation);
        if (events.Count > 0)
        {
            var statements = events.Select(one => $"alter event {MariaDbTool.Identifier(name)}.{MariaDbTool.Identifier(one[0])} {become};");
            await MariaDbTool.QueryAsync(database, connection, null, string.Join('\n', statements), time, cancellation);
        }

        return events.Count;
    }

    // At the start of a statement (the one before it ends with the delimiter that such dumps use), as the server writes it, up to the event's own statements, on one line: /*!50106 CREATE*/ /*!50117 DEFINER=…*/ /*!50106 EVENT `name` ON SCHEDULE … ON COMPLETION [NOT] PRESERVE ENABLE DO …
    [GeneratedRegex(
        @"(?<=;;\n)((?:/\*![0-9]+ )?CREATE(?:\*/)? [^\n]{0,1000}?\bEVENT `(?:[^`\n]|``)+` ON SCHEDULE (?:EVERY|AT) (?:'[^'\n]*'|[^'`\n])*? ON COMPLETION (?:NOT )?PRESERVE )ENABLE(?= )",
        RegexOptions.CultureInvariant)]
    private static partial Regex CreatePattern();
}
