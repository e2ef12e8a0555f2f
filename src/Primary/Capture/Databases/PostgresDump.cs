using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Primary.Capture.Databases;

/// <summary>
/// PostgreSQL by <c>pg_dump</c> in directory format, uncompressed: one file a table, all of one snapshot, so that a change in one table is a small delta in one file. The server's roles, which
/// belong to no database, are beside it.
/// </summary>
internal sealed class PostgresDump(DatabaseConfig database, string connection, Niceness niceness, TimeProvider time) : IDatabaseDump
{
    /// <summary>The table of contents begins with the time of the dump; past this many bytes it is the same for equal databases.</summary>
    private const int tocHeaderLength = 64;

    private const string Toc = "toc.dat";

    // pg_dump refuses a server of a later major version by itself.
    private const string Mismatch = "server version mismatch";

    public async Task WriteAsync(string target, DumpContents contents, CancellationToken cancellation)
    {
        var name = SlotDatabases.DatabaseOf(connection);
        var pending = target + ".tmp";
        DumpDirectory.Remove(pending);
        DumpDirectory.Make(pending);
        var follower = contents.Follow(pending, target, time, IsTable);
        using var limit = new CancellationTokenSource(database.Within, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        var roles = WriteRolesAsync(SlotDatabases.RolesPath(target), either.Token);
        try
        {
            // Its table of contents is listed while what was read beside it comes to its end.
            await follower.BesideAsync(DumpAsync, either.Token);
            await roles;
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw new CaptureException($"pg_dump of {name} was still running after {Durations.Format(database.Within)}, and was stopped. See what holds it up (pg_stat_activity), or allow it more time with `within`.");
        }
        catch (PostgresToolException failure) when (WhenOlder(database.Name, failure) is { } explained)
        {
            throw explained;
        }
        finally
        {
            await either.CancelAsync();
            await roles.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        // A table of contents that is equal but for the time in the header: then the last one still holds, and no new version is due to it.
        DumpDirectory.Take(pending, target, follower, static file => file == Toc ? tocHeaderLength : 0);
        contents.Add(follower, target);

        async Task<string> DumpAsync(CancellationToken token)
        {
            // Not synced: what the machine loses when it goes down is dumped again.
            await PostgresTool.RunAsync(
                "pg_dump", connection, ["--format=directory", "--compress=0", "--no-sync", "--no-password", "--lock-wait-timeout=30s", "--file=" + pending], token, niceness);

            // A dump whose table of contents cannot be listed is no dump.
            var listing = await PostgresTool.RunAsync("pg_restore", connection, ["--list", pending], token, niceness);
            return listing.Contains("; Archive created at", StringComparison.Ordinal)
                ? listing
                : throw new CaptureException($"pg_dump of {name} left a table of contents that pg_restore does not understand.");
        }
    }

    // One is written whole before the next is begun. Of large objects, a list of them is written all the while.
    private static bool IsTable(string file) => file.EndsWith(".dat", StringComparison.Ordinal) && file.Length > 4 && file.AsSpan(..^4).IndexOfAnyExceptInRange('0', '9') < 0;

    /// <summary>Null when it failed for another reason.</summary>
    internal static CaptureException? WhenOlder(string name, PostgresToolException failure) => !failure.Message.Contains(Mismatch, StringComparison.Ordinal) ? null : new CaptureException(
        $"The database {name} cannot be dumped: the PostgreSQL client on this machine is older than the server. Install a client of the server's major version or newer. ({failure.Message})", failure);

    private async Task WriteRolesAsync(string target, CancellationToken cancellation)
    {
        if (database.Roles == PostgresRoles.None)
        {
            File.Delete(target);
            return;
        }

        string[] passwords = database.Roles == PostgresRoles.Names ? ["--no-role-passwords"] : [];
        string text;
        try
        {
            text = await PostgresTool.RunAsync("pg_dumpall", connection, ["--globals-only", "--no-password", "--database=" + SlotDatabases.DatabaseOf(connection), .. passwords], cancellation, niceness);
        }
        catch (PostgresToolException failure)
        {
            throw new CaptureException(
                $"The roles of the server of {database.Name} could not be read: {failure.Message} "
                + (database.Roles == PostgresRoles.Passwords ? "Only a superuser may read passwords: write `roles: names`." : "To do without them, write `roles: none`."), failure);
        }

        var pending = target + ".tmp";
        using (var file = new DumpFile(target, pending))
        {
            // A word that is another each time, against meta-commands in names; what loads this can put one in again.
            foreach (var line in text.TrimEnd('\n').Split('\n').Where(static line => !line.StartsWith("\\restrict ", StringComparison.Ordinal) && !line.StartsWith("\\unrestrict ", StringComparison.Ordinal)))
            {
                file.Write(System.Text.Encoding.UTF8.GetBytes(line + "\n"));
            }

            if (!file.Complete())
            {
                return;
            }
        }

        File.Move(pending, target, overwrite: true);
    }
}
