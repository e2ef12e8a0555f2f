using System.IO.Hashing;
using System.Text;

namespace Mirror.Primary.Capture.Databases;

/// <summary>
/// Cuts the one stream of <c>mariadb-dump</c>, which is of one snapshot, into a file for each table while it comes. The files one after another, in the order they are listed in, are a dump again:
/// a cut in the wrong place (a trigger may hold any text) does no harm. Rows come as one statement each; here they are gathered, a row a line, into statements that end after rows chosen by their
/// own content, so that a row more or less moves no other, and loading is fast.
/// </summary>
internal sealed class MariaDbSplitter(string before, string pending) : IDisposable
{
    /// <summary>Lists the files, in their order; read by the one that loads them.</summary>
    public const string Contents = "contents";

    private const int LongestLine = 1 << 20;
    private const int LongestStatement = 512 << 10;
    private const ulong RowsOfStatement = 128;

    private static readonly (string Marker, string? File)[] cuts =
    [
        ("-- Table structure for table `", null),
        ("-- Temporary table structure for view `", null),
        ("-- Temporary view structure for view `", null),
        ("-- Final view structure for view `", "views.sql"),
        ("-- Dumping events for database '", "routines.sql"),
        ("-- Dumping routines for database '", "routines.sql"),
    ];

    private static ReadOnlySpan<byte> Rule => "--"u8;

    private static ReadOnlySpan<byte> Values => " VALUES ("u8;

    private readonly List<string> names = [];
    private readonly HashSet<string> seen = new(StringComparer.Ordinal);
    private DumpFile? file;
    private bool ruleHeld;
    private bool inRows;
    private byte[] prefix = [];
    private long statement;
    private bool passing;
    private bool lastWasEnd;

    /// <summary>Names of tables and views that came by.</summary>
    public IReadOnlySet<string> Tables => seen;

    /// <summary>Whether the last line was the one that mariadb-dump writes when all went well.</summary>
    public bool IsComplete => lastWasEnd && !passing;

    public IReadOnlyList<string> Names => names;

    public async Task ReadAsync(Stream from, CancellationToken cancellation)
    {
        Open("begin.sql");
        var buffer = new byte[2 * LongestLine];
        var filled = 0;
        int read;
        while ((read = await from.ReadAsync(buffer.AsMemory(filled), cancellation)) > 0)
        {
            filled += read;
            var used = Take(buffer.AsSpan(0, filled));
            buffer.AsSpan(used, filled - used).CopyTo(buffer);
            filled -= used;
        }

        if (filled > 0)
        {
            // A last line without an end: it broke off.
            Line(buffer.AsSpan(0, filled), ended: false);
            lastWasEnd = false;
        }

        EndStatement();
    }

    /// <summary>Everything is written; whatever did not change is not in the pending directory.</summary>
    public void Complete(IEnumerable<string> description)
    {
        Close();
        using var contents = new DumpFile(Path.Combine(before, Contents), Path.Combine(pending, Contents));
        foreach (var line in description.Concat(names.Select(name => "file " + name)))
        {
            contents.Write(Encoding.UTF8.GetBytes(line + "\n"));
        }

        contents.Complete();
        names.Add(Contents);
    }

    public void Dispose() => file?.Dispose();

    private int Take(ReadOnlySpan<byte> bytes)
    {
        var used = 0;
        while (used < bytes.Length)
        {
            var rest = bytes[used..];
            var end = rest.IndexOf((byte)'\n');
            if (end < 0 && rest.Length < LongestLine && !passing)
            {
                break;
            }

            // A line too long to look at as a whole goes through as it is, in pieces.
            var line = end < 0 ? rest : rest[..end];
            Line(line, ended: end >= 0);
            used += line.Length + (end < 0 ? 0 : 1);
        }

        return used;
    }

    private void Line(ReadOnlySpan<byte> line, bool ended)
    {
        if (passing || !ended)
        {
            if (!passing)
            {
                EndStatement();
                LetRuleGo();
            }

            Write(line, ended);
            passing = !ended;
            lastWasEnd = false;
            return;
        }

        if (inRows && IsRow(line))
        {
            Row(line);
            return;
        }

        EndStatement();
        if (!ruleHeld && line.SequenceEqual(Rule))
        {
            ruleHeld = true;
            return;
        }

        if (ruleHeld)
        {
            Cut(line);
            LetRuleGo();
        }

        if (line.StartsWith("/*!40000 ALTER TABLE "u8))
        {
            inRows = line.EndsWith(" DISABLE KEYS */;"u8);
            prefix = [];
        }

        lastWasEnd = line.StartsWith("-- Dump completed"u8);
        Write(line, ended: true);
    }

    private void Cut(ReadOnlySpan<byte> line)
    {
        foreach (var (marker, fixedName) in cuts)
        {
            if (!Encoding.UTF8.GetString(line[..Math.Min(line.Length, marker.Length)]).Equals(marker, StringComparison.Ordinal))
            {
                continue;
            }

            inRows = false;
            if (fixedName is not null)
            {
                if (names[^1] != fixedName)
                {
                    Open(fixedName);
                }

                return;
            }

            var table = Encoding.UTF8.GetString(line[marker.Length..]).TrimEnd('`').Replace("``", "`", StringComparison.Ordinal);
            seen.Add(table);
            Open("table." + FileName(table) + ".sql");
            return;
        }
    }

    // INSERT INTO `t` (`a`) VALUES (…); with the same words before the values as the row before.
    private bool IsRow(ReadOnlySpan<byte> line)
    {
        if (!line.StartsWith("INSERT INTO "u8) || !line.EndsWith(");"u8))
        {
            return false;
        }

        if (prefix.Length == 0 || !line.StartsWith(prefix))
        {
            EndStatement();
            prefix = [];
            var quoted = false;
            for (var i = 0; i < line.Length; i++)
            {
                if (line[i] == '`')
                {
                    quoted = !quoted;
                }
                else if (!quoted && line[i..].StartsWith(Values))
                {
                    prefix = line[..(i + Values.Length - 1)].ToArray();
                    break;
                }
            }
        }

        return prefix.Length > 0;
    }

    private void Row(ReadOnlySpan<byte> line)
    {
        // The values in their brackets, without the semicolon.
        var row = line[prefix.Length..^1];
        if (statement == 0)
        {
            file!.Write(prefix.AsSpan()[..^1]);
        }
        else
        {
            file!.Write(","u8);
        }

        file.Write("\n"u8);
        file.Write(row);
        statement += row.Length;
        if (XxHash3.HashToUInt64(row) % RowsOfStatement == 0 || statement > LongestStatement)
        {
            EndStatement();
        }
    }

    private void EndStatement()
    {
        if (statement > 0)
        {
            file!.Write(";\n"u8);
            statement = 0;
        }
    }

    private void LetRuleGo()
    {
        if (ruleHeld)
        {
            ruleHeld = false;
            Write(Rule, ended: true);
        }
    }

    private void Write(ReadOnlySpan<byte> line, bool ended)
    {
        file!.Write(line);
        if (ended)
        {
            file.Write("\n"u8);
        }
    }

    private void Open(string name)
    {
        Close();
        var free = name;
        for (var i = 2; names.Contains(free); i++)
        {
            free = $"{name}.{i}";
        }

        names.Add(free);
        file = new DumpFile(Path.Combine(before, free), Path.Combine(pending, free));
    }

    private void Close()
    {
        file?.Complete();
        file = null;
    }

    /// <summary>Legible, and a name in every file system: what could part directories, or is no letter, is written by its number.</summary>
    private static string FileName(string table)
    {
        const int Longest = 200;
        var name = new StringBuilder();
        foreach (var c in table)
        {
            _ = char.IsLetterOrDigit(c) || c is '_' or '-' or '$' ? name.Append(c) : name.Append('%').Append(((int)c).ToString("x4"));
        }

        var bytes = Encoding.UTF8.GetBytes(name.ToString());
        return bytes.Length <= Longest ? name.ToString() : $"{Convert.ToHexStringLower(Encoding.UTF8.GetBytes(table)[..32])}-{XxHash3.HashToUInt64(bytes):x16}";
    }
}
