using System.Globalization;
using System.Text;

namespace Mirror.Bench.Workloads;

/// <summary>A web server's log that only grows; in the third version it was rotated: its old part has another name.</summary>
internal static class LogFile
{
    public const string FileName = "app.log", RotatedName = FileName + ".1";

    private static readonly int[] statuses = [200, 200, 200, 304, 404];

    public static void Make(string[] versions, double scale)
    {
        var writer = new LineWriter(new SeededRandom(44));
        var first = Path.Combine(versions[0], FileName);
        var second = Path.Combine(versions[1], FileName);
        using (var file = File.Create(first, 0))
        {
            writer.Write(file, (long)((512L << 20) * scale));
        }

        File.Copy(first, second);
        using (var file = new FileStream(second, FileMode.Append, FileAccess.Write, FileShare.None, 0))
        {
            writer.Write(file, (long)((16L << 20) * scale));
        }

        File.Copy(second, Path.Combine(versions[2], RotatedName));
        using (var file = File.Create(Path.Combine(versions[2], FileName), 0))
        {
            writer.Write(file, (long)((1L << 20) * Math.Min(1, scale)));
        }
    }

    private sealed class LineWriter
    {
        private readonly SeededRandom _random;
        private readonly string[] _paths, _agents;
        private long _time = 1_709_294_400_000;

        public LineWriter(SeededRandom random)
        {
            _random = random;
            string[] words = [.. Enumerable.Range(0, 400).Select(_ => Word())];
            _paths = [.. Enumerable.Range(0, 2000).Select(_ => "/" + string.Join('/', Some(words, random.Between(1, 4))))];
            _agents = [.. Enumerable.Range(0, 60).Select(_ => string.Join(' ', Some(words, 8)))];
        }

        public void Write(FileStream file, long length)
        {
            var lines = new StringBuilder();
            for (var left = length; left > 0;)
            {
                lines.Clear();
                for (var line = 0; line < 2000; line++)
                {
                    _time += _random.Below(40);
                    var bits = _random.Next();
                    lines.Append(
                        CultureInfo.InvariantCulture,
                        $"{_time} 10.{bits & 255}.{(bits >> 8) & 255}.{(bits >> 16) & 255} GET {_paths[(bits >> 24) % 2000]}?id={bits >> 40} {statuses[bits % 5]} {(bits >> 30) & 65535} \"{_agents[bits % 60]}\"\n");
                }

                var bytes = Encoding.ASCII.GetBytes(lines.ToString());
                var part = bytes.AsSpan(0, (int)Math.Min(left, bytes.Length));
                file.Write(part);
                left -= part.Length;
            }
        }

        private string Word() => string.Concat(Enumerable.Range(0, _random.Between(3, 9)).Select(_ => (char)('a' + _random.Below(26))));

        private IEnumerable<string> Some(string[] words, int count) => Enumerable.Range(0, count).Select(_ => _random.Of(words));
    }
}
