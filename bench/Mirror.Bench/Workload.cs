using System.Globalization;
using System.Text;

namespace Mirror.Bench;

/// <summary>Trees and files to work on, the same for a seed on every machine.</summary>
internal static class Workload
{
    private static readonly string[] words = ["alpha", "bridge", "copper", "delta", "ember", "forest", "garden", "harbour", "island", "journal", "kernel", "lantern"];

    /// <summary>Small files of text, two to eight KiB, forty to a directory.</summary>
    public static void MakeTree(string root, int files, int seed)
    {
        var random = new Random(seed);
        for (var file = 0; file < files; file++)
        {
            var directory = Path.Combine(root, string.Create(CultureInfo.InvariantCulture, $"d{file / 40:000}"));
            Directory.CreateDirectory(directory);
            File.WriteAllText(Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"f{file:00000}.txt")), Text(random, random.Next(2048, 8192)));
        }
    }

    /// <summary>Half of it does not compress.</summary>
    public static void MakeBigFile(string path, int megabytes, int seed)
    {
        var random = new Random(seed);
        var block = new byte[1 << 20];
        using var file = File.Create(path);
        for (var block0 = 0; block0 < megabytes; block0++)
        {
            random.NextBytes(block);
            if (block0 % 2 == 0)
            {
                for (var at = 0; at < block.Length; at++)
                {
                    block[at] &= 0x0F;
                }
            }

            file.Write(block);
        }
    }

    /// <summary>Appends to one small file in <paramref name="share"/>, and overwrites 64 bytes at fifty places of the big one.</summary>
    public static void Edit(string root, int share, int seed)
    {
        var random = new Random(seed);
        var small = Directory.GetFiles(root, "*.txt", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToArray();
        for (var at = 0; at < small.Length; at += share)
        {
            File.AppendAllText(small[at], Text(random, 100));
        }

        var patch = new byte[64];
        using var big = File.OpenWrite(Path.Combine(root, "big.bin"));
        for (var place = 0; place < 50; place++)
        {
            random.NextBytes(patch);
            big.Position = random.NextInt64(big.Length - patch.Length);
            big.Write(patch);
        }
    }

    private static string Text(Random random, int length)
    {
        var text = new StringBuilder(length + 16);
        while (text.Length < length)
        {
            text.Append(words[random.Next(words.Length)]).Append(random.Next(12) == 0 ? '\n' : ' ');
        }

        return text.ToString();
    }
}
