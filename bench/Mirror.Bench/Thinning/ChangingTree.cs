using System.Globalization;
using System.Text;
using Mirror.Bench.Workloads;

namespace Mirror.Bench.Thinning;

/// <summary>A live folder of small text files that changes a little from version to version, the same way each time.</summary>
internal sealed class ChangingTree(string folder)
{
    public const int Files = 2_000, Edited = 16, Added = 2, Removed = 2;

    private const int FilesInFolder = 50, LinesInFile = 60;

    private readonly List<int> _files = [];
    private int _next;

    /// <summary>Brings the folder from one version to the next; the first makes it.</summary>
    public void Advance(int version)
    {
        var random = new SeededRandom((ulong)version);
        if (version == 1)
        {
            Add(Files);
            return;
        }

        for (var removed = 0; removed < Removed; removed++)
        {
            var at = random.Below(_files.Count);
            File.Delete(PathOf(_files[at]));
            _files.RemoveAt(at);
        }

        foreach (var at in Enumerable.Range(0, Edited).Select(_ => random.Below(_files.Count)).Distinct())
        {
            var lines = File.ReadAllLines(PathOf(_files[at]));
            lines[random.Below(lines.Length)] = string.Create(CultureInfo.InvariantCulture, $"    edited for version {version}, {random.Next():x}");
            File.WriteAllLines(PathOf(_files[at]), lines);
        }

        Add(Added);
    }

    private void Add(int count)
    {
        for (; count > 0; count--)
        {
            var random = new SeededRandom((ulong)_next + 1_000_000);
            var text = new StringBuilder();
            for (var line = random.Between(10, (2 * LinesInFile) - 10); line > 0; line--)
            {
                text.Append(CultureInfo.InvariantCulture, $"    $value_{random.Below(400)} = $this->read('{random.Below(100_000):x}', {line});\n");
            }

            Directory.CreateDirectory(Path.GetDirectoryName(PathOf(_next))!);
            File.WriteAllText(PathOf(_next), text.ToString());
            _files.Add(_next++);
        }
    }

    private string PathOf(int file) => Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"part-{file / FilesInFolder:D4}"), string.Create(CultureInfo.InvariantCulture, $"item-{file:D6}.php"));
}
