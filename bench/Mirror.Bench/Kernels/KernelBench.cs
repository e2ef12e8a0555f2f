using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Mirror.Bench.Measuring;

namespace Mirror.Bench.Kernels;

/// <summary>Runs the kernels and prints rates. They run in this process: a generated project would be built anew for each, under this checkout's rules.</summary>
internal static class KernelBench
{
    public static Table Run(WorkOptions options, TextWriter talk)
    {
        var config = ManualConfig.CreateEmpty()
            .AddJob(Job.ShortRun.WithToolchain(new InProcessEmitToolchain(TimeSpan.FromMinutes(10), logOutput: false)))
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddLogger(NullLogger.Instance)
            .WithArtifactsPath(Path.Combine(options.Work, "kernels"));
        var table = new Table("kernel", "on", "mean ms", "± ms", "MB/s", "allocated");
        foreach (var kernels in new[] { typeof(HashKernels), typeof(DeltaKernels), typeof(ZstdKernels) })
        {
            talk.WriteLine($"kernels: {kernels.Name}");
            var summary = BenchmarkRunner.Run(kernels, config);
            foreach (var report in summary.Reports)
            {
                var name = report.BenchmarkCase.Descriptor.WorkloadMethod.Name;
                var parameters = report.BenchmarkCase.Parameters.Items;
                if (report.ResultStatistics is not { } statistics)
                {
                    throw new BenchException($"{name} ({report.BenchmarkCase.Parameters.DisplayInfo}) did not run.");
                }

                var workload = parameters.FirstOrDefault(item => item.Name == "Workload")?.Value as string ?? "hashes";
                var on = workload == "hashes" ? "random bytes" : string.Join(", ", parameters.Select(item => item.Name == "Level" ? $"level {item.Value}" : item.Value));
                var allocated = report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase);
                table.Add(
                    name, on, Table.Digits(statistics.Mean / 1e6), Table.Digits(statistics.StandardDeviation / 1e6),
                    (KernelData.Lengths[workload] / 1e6 / (statistics.Mean / 1e9)).ToString("N0", CultureInfo.InvariantCulture), kernels == typeof(DeltaKernels) ? Table.Bytes(allocated) : Table.Nothing);
            }
        }

        return table;
    }
}
