namespace Mirror.Bench.Workloads;

/// <summary>Two files that have nothing in common: a search that finds nothing, the worst a delta can meet.</summary>
internal static class RandomFiles
{
    public const string FileName = "random.bin";

    public static void Make(string[] versions, double scale)
    {
        var random = new SeededRandom(977);
        var buffer = new byte[1 << 20];
        foreach (var version in versions)
        {
            using var file = File.Create(Path.Combine(version, FileName), 0);
            for (var left = Math.Max(1, (int)(1024 * scale)); left > 0; left--)
            {
                random.Fill(buffer);
                file.Write(buffer);
            }
        }
    }
}
