using System.Globalization;
using System.Text;

namespace Mirror.Testing.Trees;

/// <summary>
/// Whether a copy is identical to its original, as tools say that are not ours. rsync compares contents, metadata, attributes, access lists; it says nothing of nanoseconds, of files that are linked
/// in the copy only, and of holes that were filled: find does.
/// </summary>
public static class Identical
{
    /// <summary>File systems round, and keep their own blocks with a file's.</summary>
    private const long holeTolerance = 128 * 1024 / 512;

    private sealed record Seen(string Path, string Inode, string Facts, long Size, long Blocks, bool IsFile);

    /// <param name="without">Patterns, as rsync's --exclude, of what is not part of a version.</param>
    public static void Assert(string original, string copy, params string[] without)
    {
        var excludes = string.Concat(without.Select(static pattern => $" --exclude={pattern}"));
        var lines = Shell.Run($"rsync -aHAXn --delete --checksum -i{excludes} \"$1/\" \"$2/\"", original, copy);
        Xunit.Assert.True(lines.Length == 0, $"rsync would change the copy {copy} of {original}:\n{Shortened(lines)}");

        var (left, right) = (List(original, without), List(copy, without));
        Xunit.Assert.Equal(left.Select(static seen => seen.Path), right.Select(static seen => seen.Path));
        var (leftGroups, rightGroups) = (Groups(left), Groups(right));
        foreach (var (mine, other) in left.Zip(right))
        {
            Xunit.Assert.True(mine.Facts == other.Facts, $"\"{mine.Path}\": {mine.Facts} in {original}, {other.Facts} in {copy} (kind, mode, owners, size, time, target)");
            Xunit.Assert.True(leftGroups[mine.Inode] == rightGroups[other.Inode], $"\"{mine.Path}\" is linked with other names in {copy}: {rightGroups[other.Inode]}, and not {leftGroups[mine.Inode]}");
            if (mine.IsFile && mine.Blocks * 512 < mine.Size)
            {
                Xunit.Assert.True(other.Blocks <= mine.Blocks + holeTolerance, $"\"{mine.Path}\" has lost its holes in {copy}: {other.Blocks} blocks, where {original} has {mine.Blocks}");
            }
        }
    }

    private static List<Seen> List(string directory, string[] without)
    {
        // Latin-1 keeps every byte of a name. A directory's size says something of the file system only.
        var text = Shell.RunRaw("cd \"$1\" && find . -printf '%p\\0%i\\0%y %#m %U %G %T@ %l\\0%s\\0%b\\0'", directory);
        var fields = Encoding.Latin1.GetString(text).Split('\0');
        var seen = new List<Seen>();
        for (var i = 0; i + 5 <= fields.Length; i += 5)
        {
            var isFile = fields[i + 2][0] == 'f';
            var size = long.Parse(fields[i + 3], CultureInfo.InvariantCulture);
            if (!without.Any(pattern => fields[i] == "." + pattern))
            {
                seen.Add(new Seen(fields[i], fields[i + 1], isFile ? $"{fields[i + 2]} {size}" : fields[i + 2], size, long.Parse(fields[i + 4], CultureInfo.InvariantCulture), isFile));
            }
        }

        seen.Sort(static (left, right) => string.CompareOrdinal(left.Path, right.Path));
        return seen;
    }

    /// <summary>The names of each inode, in order.</summary>
    private static Dictionary<string, string> Groups(List<Seen> list) =>
        list.GroupBy(static seen => seen.Inode).ToDictionary(static group => group.Key, static group => string.Join(", ", group.Select(static seen => seen.Path)));

    private static string Shortened(string lines) => lines.Length < 4000 ? lines : lines[..4000] + $"… ({lines.Count(static letter => letter == '\n')} lines)";
}
