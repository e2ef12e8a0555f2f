using System.Globalization;
using Mirror.Bench.Limits;

namespace Mirror.Bench;

/// <summary>What must be known to read the tables; the beginning of docs/benchmarks.md.</summary>
internal static class BenchPage
{
    public static string Head(WorkOptions options, int runs, IReadOnlyList<string> peers) => string.Create(
        CultureInfo.InvariantCulture,
        $"""
        # Benchmarks

        Mirror beside the tools its users could take instead, as whole processes in one run on one machine. `./build.sh bench all --work /dev/shm/mirror-bench` makes this page again;
        read ratios, not absolutes.

        **Machine.** {MachineLimits.Processor()}. Where the processor has no instructions for SHA-256, that hash bounds every step that computes it: see *limits*.
        **Peers.** {string.Join(", ", peers)}.
        **Scale.** {options.Scale:0.######}; {runs} rounds; files in {Place(options.Work)}.

        **How.** The tools take turns: each round runs all of them, and a figure is the median over the rounds. *÷ mirror* is the median of a round's time over Mirror's in the same
        round, so more than 1 means that Mirror was faster; CPU times (user and system, with all child processes) are disturbed less by other work than wall times. *Peak memory* sums the peaks
        of a tool's processes. K, M and G are powers of 1024; MB/s is 10^6. Every result was compared byte by byte with what it should be, outside the time.
        `mirror` sees the signature of the old file only, as rdiff does; `mirror --basis` has the old file at hand, as xdelta3 and zstd do. Its diff also writes the new file's signature, its
        patch checks a hash of the whole result, and `--reverse` writes the delta back in the same command. For the others *patch + reverse delta* is the sum of patch and of the same tool's
        commands from new to old, run once. Deltas are also shown after `zstd -3`, since some tools leave compressing to others; Mirror's are compressed as they are.
        The noise line says what else the machine did.

        """);

    private static string Place(string work)
    {
        var kind = new DriveInfo(Path.GetFullPath(work)).DriveFormat;
        return kind == "tmpfs" ? "memory (tmpfs), so programs are compared and not disks" : $"a directory on {kind}";
    }
}
