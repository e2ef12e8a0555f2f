using System.Collections.Concurrent;
using Mirror.Bench.Workloads;

namespace Mirror.Bench.Kernels;

/// <summary>Small forms of the workloads, in memory.</summary>
internal sealed class KernelData : IDisposable
{
    /// <summary>Length of the newer version by workload, for rates. Kernels run in this process.</summary>
    public static readonly ConcurrentDictionary<string, long> Lengths = new() { ["hashes"] = HashKernels.Length };

    private readonly string _folder = Directory.CreateTempSubdirectory("mirror-kernels-").FullName;

    public (byte[] Old, byte[] New) Get(string workload)
    {
        string[] versions = [.. new[] { "v1", "v2", "v3" }.Select(version => Directory.CreateDirectory(Path.Combine(_folder, version)).FullName)];
        string file;
        switch (workload)
        {
            case "bigfile":
                BigFile.Make(versions, 1.0 / 32);
                file = BigFile.FileName;
                break;
            case "dump":
                SyntheticDump.Make(versions, DumpKind.Blanks, 1.0 / 16);
                file = DumpKind.FileName;
                break;
            case "dumphex":
                SyntheticDump.Make(versions, DumpKind.Hex, 1.0 / 16);
                file = DumpKind.FileName;
                break;
            case "random":
                RandomFiles.Make(versions, 1.0 / 32);
                file = RandomFiles.FileName;
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(workload), workload, "No kernel is measured on it.");
        }

        var (old, now) = (File.ReadAllBytes(Path.Combine(versions[0], file)), File.ReadAllBytes(Path.Combine(versions[1], file)));
        Lengths[workload] = now.Length;
        return (old, now);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
