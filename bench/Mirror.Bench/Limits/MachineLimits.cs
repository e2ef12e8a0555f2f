using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using Mirror.Bench.Measuring;
using Mirror.Bench.Workloads;
using ZstdSharp;

namespace Mirror.Bench.Limits;

/// <summary>What this machine's parts can do on one core, so that a step's rate can be held against what bounds it. A probe runs for some tenths of a second of CPU time; the best of five counts.</summary>
internal static class MachineLimits
{
    private const int Large = 64 << 20;

    private static readonly TimeSpan probing = TimeSpan.FromMilliseconds(150);

    public static string Processor()
    {
        var name = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
        var flags = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("flags", StringComparison.Ordinal) || line.StartsWith("Features", StringComparison.Ordinal)) ?? "";
        var words = flags.Split(' ');
        var hashes = words.Contains("sha_ni") || words.Contains("sha2") ? "has instructions for SHA-256" : "has no instructions for SHA-256";
        var vectors = X86Base.IsSupported ? Avx512F.IsSupported ? "AVX-512" : Avx2.IsSupported ? "AVX2" : "SSE" : AdvSimd.IsSupported ? "AdvSIMD" : "no vectors";
        return string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessorCount} cores of {name}, {vectors}, {hashes}; .NET {Environment.Version}");
    }

    public static Table Probe(WorkOptions options)
    {
        var table = new Table("what", "rate");
        var source = GC.AllocateUninitializedArray<byte>(Large);
        new SeededRandom(5).Fill(source);
        var target = new byte[Large];
        table.Add("memcpy, 64 MiB", Rate(Large, () => source.CopyTo(target, 0)));
        table.Add("compare equal bytes, 64 MiB", Rate(Large, () => _ = source.AsSpan().SequenceEqual(target)));
        Hashes(table, source);
        PageCache(table, options, source);
        Compression(table, options, target);
        return table;
    }

    private static void Hashes(Table table, byte[] source)
    {
        var hash = new byte[64];
        foreach (var (length, word) in new[] { (Large, "64 MiB"), (4096, "4 KiB"), (512, "512 B"), (128, "128 B") })
        {
            var pieces = Math.Max(1, (4 << 20) / length);
            void Each(Action<ReadOnlySpan<byte>> one)
            {
                for (var piece = 0; piece < pieces; piece++)
                {
                    one(source.AsSpan(piece * length, length));
                }
            }

            if (length >= 4096)
            {
                table.Add($"SHA-256, {word}", Rate((long)pieces * length, () => Each(bytes => SHA256.HashData(bytes, hash))));
            }

            table.Add($"XXH3 of 64 bits, {word}", Rate((long)pieces * length, () => Each(bytes => _ = XxHash3.HashToUInt64(bytes, 1))));
            table.Add($"XXH3 of 128 bits, {word}", Rate((long)pieces * length, () => Each(bytes => _ = XxHash128.HashToUInt128(bytes, 1))));
        }
    }

    private static void PageCache(Table table, WorkOptions options, byte[] source)
    {
        Directory.CreateDirectory(options.Work);
        var path = Path.Combine(options.Work, "probe");
        try
        {
            const int Piece = 1 << 20;
            using var file = File.OpenHandle(path, FileMode.Create, FileAccess.ReadWrite, FileShare.None);
            table.Add("write a file anew, 1 MiB at a time", Rate(
                Large,
                () =>
                {
                    RandomAccess.SetLength(file, 0);
                    for (var at = 0; at < Large; at += Piece)
                    {
                        RandomAccess.Write(file, source.AsSpan(at, Piece), at);
                    }
                }));
            var piece = new byte[Piece];
            table.Add("read a cached file, 1 MiB at a time", Rate(
                Large,
                () =>
                {
                    for (var at = 0; at < Large; at += Piece)
                    {
                        _ = RandomAccess.Read(file, piece, at);
                    }
                }));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static void Compression(Table table, WorkOptions options, byte[] target)
    {
        var work = Path.Combine(options.Work, "limits");
        try
        {
            foreach (var (name, bytes) in Samples(work))
            {
                foreach (var level in new[] { 1, 3 })
                {
                    using var compressor = new Compressor(level);
                    var length = 0;
                    var rate = Rate(bytes.Length, () => length = compressor.Wrap(bytes, target));
                    table.Add(string.Create(CultureInfo.InvariantCulture, $"zstd -{level}, {name} ({(double)bytes.Length / length:F1} times smaller)"), rate);
                    if (level == 3)
                    {
                        var packed = target.AsSpan(0, length).ToArray();
                        using var decompressor = new Decompressor();
                        table.Add($"zstd, {name}, decompress", Rate(bytes.Length, () => decompressor.Unwrap(packed, target)));
                    }
                }
            }
        }
        finally
        {
            Files.Remove(work);
        }
    }

    // Pieces of the workloads, 16 MiB each at most.
    private static IEnumerable<(string Name, byte[] Bytes)> Samples(string work)
    {
        string[] versions = [.. Enumerable.Range(1, 3).Select(number => Directory.CreateDirectory(Path.Combine(work, string.Create(CultureInfo.InvariantCulture, $"v{number}"))).FullName)];
        BigFile.Make(versions, 1.0 / 64);
        yield return ("bigfile", File.ReadAllBytes(Path.Combine(versions[0], BigFile.FileName)));
        foreach (var kind in new[] { DumpKind.Blanks, DumpKind.Hex })
        {
            SyntheticDump.Make(versions, kind, 1.0 / 32);
            yield return (kind.Name, File.ReadAllBytes(Path.Combine(versions[0], DumpKind.FileName)));
        }

        LogFile.Make(versions, 1.0 / 32);
        yield return ("log", File.ReadAllBytes(Path.Combine(versions[0], LogFile.FileName)));
    }

    // By this process's own CPU time: what others do on the machine takes turns, and should not count as its limit.
    private static string Rate(long bytes, Action once)
    {
        once();
        var best = 0.0;
        for (var probe = 0; probe < 5; probe++)
        {
            var before = Environment.CpuUsage.TotalTime;
            var runs = 0;
            TimeSpan spent;
            do
            {
                once();
                runs++;
                spent = Environment.CpuUsage.TotalTime - before;
            }
            while (spent < probing);

            best = Math.Max(best, runs * (bytes / 1e6) / spent.TotalSeconds);
        }

        return best >= 1000 ? $"{Table.Digits(best / 1000)} GB/s" : $"{Table.Digits(best)} MB/s";
    }
}
