using System.Text;

namespace Mirror.Node.Diagnosis;

/// <summary>What is mounted where, as the kernel tells this process.</summary>
internal sealed class MountTable(IReadOnlyList<string> points)
{
    public static MountTable Read() => Parse(File.ReadAllText("/proc/self/mountinfo"));

    /// <summary>The fifth field of each line is the mount point; spaces and the like in it are written as octal numbers.</summary>
    public static MountTable Parse(string mountinfo) => new(
        [.. mountinfo.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')).Where(fields => fields.Length > 4).Select(fields => Unescape(fields[4]))]);

    /// <summary>The mount point a path without symbolic links lies under.</summary>
    public string Of(string path) =>
        points.Where(point => point == "/" || path == point || path.StartsWith(point + "/", StringComparison.Ordinal)).MaxBy(point => point.Length) ?? "/";

    private static string Unescape(string field)
    {
        var text = new StringBuilder();
        for (var i = 0; i < field.Length; i++)
        {
            if (field[i] == '\\' && i + 3 < field.Length)
            {
                text.Append((char)Convert.ToInt32(field.Substring(i + 1, 3), 8));
                i += 3;
            }
            else
            {
                text.Append(field[i]);
            }
        }

        return text.ToString();
    }
}
