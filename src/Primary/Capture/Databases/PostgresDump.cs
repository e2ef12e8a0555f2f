using Mirror.Node.Apps;

namespace Mirror.Primary.Capture.Databases;

/// <summary>
/// PostgreSQL by <c>pg_dump</c> in directory format, uncompressed: one file a table, all of one snapshot, so that a change in one table is a small delta in one file.
/// </summary>
internal sealed class PostgresDump(string connection) : IDatabaseDump
{
    /// <summary>The table of contents begins with the time of the dump; past this many bytes it is the same for equal databases.</summary>
    private const int tocHeaderLength = 64;

    public async Task WriteAsync(string target, CancellationToken cancellation)
    {
        var pending = target + ".tmp";
        RemoveTree(pending);
        await PostgresTool.RunAsync(
            "pg_dump", connection, ["--format=directory", "--compress=0", "--no-password", "--lock-wait-timeout=30s", "--file=" + pending], cancellation);

        // A dump whose table of contents cannot be listed is no dump.
        var listing = await PostgresTool.RunAsync("pg_restore", connection, ["--list", pending], cancellation);
        if (!listing.Contains("; Archive created at", StringComparison.Ordinal))
        {
            throw new CaptureException($"pg_dump of {SlotDatabases.DatabaseOf(connection)} left a table of contents that pg_restore does not understand.");
        }

        if (Directory.Exists(target) && SameDump(target, pending))
        {
            RemoveTree(pending);
            return;
        }

        RemoveTree(target);
        Directory.Move(pending, target);
    }

    // Equal but for the time in the header: then the last dump still holds, and no new version is due to it.
    private static bool SameDump(string old, string current)
    {
        var names = Directory.GetFiles(current).Select(Path.GetFileName).Order(StringComparer.Ordinal).ToArray();
        if (!Directory.GetFiles(old).Select(Path.GetFileName).Order(StringComparer.Ordinal).SequenceEqual(names))
        {
            return false;
        }

        return names.All(name =>
            SameContent(Path.Combine(old, name!), Path.Combine(current, name!), name == "toc.dat" ? tocHeaderLength : 0));
    }

    private static bool SameContent(string left, string right, int skip)
    {
        using var a = File.OpenRead(left);
        using var b = File.OpenRead(right);
        if (a.Length != b.Length)
        {
            return false;
        }

        a.Position = b.Position = Math.Min(skip, a.Length);
        var x = new byte[1 << 16];
        var y = new byte[1 << 16];
        int read;
        while ((read = a.ReadAtLeast(x, x.Length, throwOnEndOfStream: false)) > 0)
        {
            if (b.ReadAtLeast(y.AsSpan(0, read), read, throwOnEndOfStream: false) != read || !x.AsSpan(0, read).SequenceEqual(y.AsSpan(0, read)))
            {
                return false;
            }
        }

        return true;
    }

    private static void RemoveTree(string directory)
    {
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
