using System.Globalization;
using System.Text;

namespace Mirror.Bench.Workloads;

/// <summary>
/// A site's code and content: many small files of source-like text in folders of folders. In the second version some are edited by a few lines, some new, some gone; in the third a
/// folder with a fifth of all files has another name.
/// </summary>
internal static class SourceTree
{
    private const int FilesAtFullScale = 47_800, AddedAtFullScale = 3_300, RemovedAtFullScale = 580, ModifiedAtFullScale = 5_400, RenamedAtFullScale = 10_400;

    public const string RenamedFrom = "modules", RenamedTo = "modules-renamed";

    private static readonly string[] otherTops = ["core", "lib", "packages", "themes"];
    private static readonly string[] suffixes = [".php", ".js", ".ts", ".json", ".md", ".yml", ".css", ".txt"];
    private static readonly string[] folderNames = ["src", "tests", "config", "fixtures", "plugins", "assets", "templates", "schema"];

    public static void Make(string[] versions, double scale)
    {
        int Scaled(int count) => Math.Max(4, (int)(count * scale));
        var (files, added) = (Scaled(FilesAtFullScale), Scaled(AddedAtFullScale));
        var random = new SeededRandom(3);
        var words = Words(random);
        var names = Names(random, files + added, Scaled(RenamedAtFullScale));
        var fates = Fates(random, files, Scaled(RemovedAtFullScale), Scaled(ModifiedAtFullScale));
        for (var file = 0; file < names.Length; file++)
        {
            var before = Content(new SeededRandom((ulong)file + 1000), words);
            var isNew = file >= files;
            var after = isNew || fates[file] == Fate.Kept ? before : fates[file] == Fate.Modified ? Edited(before, new SeededRandom((ulong)file + 1_000_000), words) : null;
            var (firstTime, secondTime) = (VersionFolder.Times[0], VersionFolder.Times[isNew || fates[file] == Fate.Modified ? 1 : 0]);
            if (!isNew)
            {
                Write(Path.Combine(versions[0], names[file]), before, firstTime);
            }

            if (after is not null)
            {
                Write(Path.Combine(versions[1], names[file]), after, secondTime);
                Write(Path.Combine(versions[2], names[file]), after, secondTime);
            }
        }

        Directory.Move(Path.Combine(versions[2], RenamedFrom), Path.Combine(versions[2], RenamedTo));
    }

    private enum Fate : byte
    {
        Kept,
        Modified,
        Removed,
    }

    private static Fate[] Fates(SeededRandom random, int files, int removed, int modified)
    {
        var fates = new Fate[files];
        Strike(Fate.Removed, removed);
        Strike(Fate.Modified, modified);
        return fates;

        void Strike(Fate fate, int count)
        {
            for (var left = Math.Min(count, files / 4); left > 0;)
            {
                ref var place = ref fates[random.Below(files)];
                if (place == Fate.Kept)
                {
                    place = fate;
                    left--;
                }
            }
        }
    }

    // Every so many-th file lies in the folder that will be renamed; each folder has up to a dozen files.
    private static string[] Names(SeededRandom random, int count, int renamed)
    {
        var names = new string[count];
        var folder = "";
        var left = 0;
        for (var file = 0; file < count; file++)
        {
            if (left == 0)
            {
                var top = random.Below(count) < renamed ? RenamedFrom : random.Of(otherTops);
                var package = string.Create(CultureInfo.InvariantCulture, $"part_{random.Below(Math.Max(1, count / 60)):000}");
                folder = Path.Combine([top, package, .. Enumerable.Range(0, random.Between(0, 3)).Select(_ => random.Of(folderNames))]);
                left = random.Between(2, 12);
            }

            names[file] = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"item_{file:00000}{random.Of(suffixes)}"));
            left--;
        }

        names[0] = Path.Combine(RenamedFrom, "info.yml");
        return names;
    }

    private static string[] Words(SeededRandom random) =>
        [.. Enumerable.Range(0, 3000).Select(_ => string.Concat(Enumerable.Range(0, random.Between(2, 11)).Select(_ => (char)('a' + random.Below(26)))))];

    /// <summary>Most files have a few hundred bytes to a few thousand, some have tens of thousands; 2.2 KiB at the mean.</summary>
    private static List<string> Content(SeededRandom random, string[] words)
    {
        var length = (int)Math.Clamp(127 * Math.Exp(random.Below(1 << 20) * 4.35 / (1 << 20)), 20, 60_000);
        var lines = new List<string>();
        for (var written = 0; written < length;)
        {
            var line = Line(random, words);
            lines.Add(line);
            written += line.Length + 1;
        }

        return lines;
    }

    private static string Line(SeededRandom random, string[] words)
    {
        // Low numbers are common words, as in any language.
        string Word() => words[(int)((ulong)random.Below(words.Length) * (ulong)random.Below(words.Length) / (ulong)words.Length)];
        return random.Below(8) switch
        {
            0 => "",
            1 => $"  /** {string.Join(' ', Enumerable.Range(0, random.Between(4, 12)).Select(_ => Word()))}. */",
            2 => $"use {Word()}.{Word()}.{Word()};",
            3 => $"  public function {Word()}{Word()}(${Word()}, ${Word()}) {{",
            4 => $"    ${Word()} = $this->{Word()}('{Word()}', {random.Below(1000)});",
            5 => $"    if (${Word()} === '{Word()}') {{ return ${Word()}; }}",
            6 => $"    '{Word()}' => '{Word()} {Word()} {Word()}',",
            _ => "  }",
        };
    }

    private static List<string> Edited(List<string> content, SeededRandom random, string[] words)
    {
        var edited = new List<string>(content);
        for (var edit = random.Between(1, 4); edit > 0; edit--)
        {
            var at = random.Below(edited.Count);
            switch (random.Below(3))
            {
                case 0:
                    edited[at] = Line(random, words) + " // changed";
                    break;
                case 1:
                    edited.Insert(at, Line(random, words) + " // added");
                    break;
                default:
                    edited.RemoveAt(at);
                    edited.Insert(Math.Min(at, edited.Count), "// removed");
                    break;
            }
        }

        return edited;
    }

    private static void Write(string path, List<string> lines, DateTime time)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, string.Join('\n', lines) + "\n", Encoding.ASCII);
        File.SetLastWriteTimeUtc(path, time);
    }
}
