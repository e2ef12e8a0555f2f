using System.Globalization;
using Mirror.Bench.Measuring;
using Mirror.Bench.Workloads;

namespace Mirror.Bench.Deltas;

/// <summary>Tools that make deltas of two files, as whole processes and in turn: round after round all of them, so that a machine whose speed drifts drifts for all.</summary>
internal sealed class DeltaBench(WorkOptions options, IReadOnlyList<DeltaTool> tools, int rounds, TimeSpan limit, TextWriter talk)
{
    public async Task<DeltaResults> RunAsync(Workload workload, CancellationToken cancellation)
    {
        await workload.EnsureAsync(options, talk);
        var scratch = Path.Combine(options.Work, "run");
        Directory.CreateDirectory(scratch);
        var files = new DeltaFiles(workload.FileIn(options, 1), workload.FileIn(options, 2), scratch);
        var results = new DeltaResults("mirror");
        var left = new List<DeltaTool>();
        foreach (var tool in tools)
        {
            if (Peer.Find(tool.Program) is null)
            {
                results.Notes.Add($"{tool.Name}: {Peer.Absence(tool.Program)}.");
            }
            else
            {
                left.Add(tool);
            }
        }

        try
        {
            for (var round = 0; round < rounds; round++)
            {
                foreach (var tool in left.ToArray())
                {
                    try
                    {
                        talk.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{workload.Name}, round {round + 1} of {rounds}: {tool.Name}"));
                        await RoundAsync(tool, files, round, results, cancellation);
                    }
                    catch (BenchException failure)
                    {
                        left.Remove(tool);
                        results.Notes.Add($"{tool.Name}: {failure.Message}");
                    }
                }
            }
        }
        finally
        {
            Files.Remove(scratch);
        }

        return results;
    }

    private async Task RoundAsync(DeltaTool tool, DeltaFiles files, int round, DeltaResults results, CancellationToken cancellation)
    {
        var isFirst = round == 0;
        foreach (var command in tool.Commands(files))
        {
            results.Add(tool.Name, command.Step, round, await MeasureAsync(command, files, cancellation));
            if (command.Step is DeltaStep.Patch or DeltaStep.PatchAndReverse or DeltaStep.Whole)
            {
                Check(tool, command, files.New);
            }
            else if (isFirst)
            {
                await NoteSizeAsync(tool, command.Step, command.Product, results);
            }
        }

        results.AddWhole(tool.Name, round);
        if (tool.MakesReverse)
        {
            await RestoreAsync(tool, files, round, results, cancellation);
        }
        else if (isFirst && tool.Commands(files).Any(command => command.Step == DeltaStep.Diff))
        {
            await TurnAsync(tool, files, round, results, cancellation);
        }

        foreach (var product in new[] { files.Signature, files.Delta, files.Result, files.Reverse, files.NewSignature })
        {
            Files.Remove(product);
        }
    }

    // The delta back was written along; it is applied as any other.
    private async Task RestoreAsync(DeltaTool tool, DeltaFiles files, int round, DeltaResults results, CancellationToken cancellation)
    {
        if (round == 0)
        {
            await NoteSizeAsync(tool, DeltaStep.PatchAndReverse, files.Reverse, results);
        }

        var patch = tool.Commands(files with { Old = files.New }).First(command => command.Step == DeltaStep.Patch);
        var restore = patch with { Step = DeltaStep.Restore, Line = [.. patch.Line.Select(word => word == files.Delta ? files.Reverse : word)] };
        results.Add(tool.Name, DeltaStep.Restore, round, await MeasureAsync(restore, files, cancellation));
        Check(tool, restore, files.Old);
    }

    // The same tool from new to old: what it costs its users to keep a way back.
    private async Task TurnAsync(DeltaTool tool, DeltaFiles files, int round, DeltaResults results, CancellationToken cancellation)
    {
        // Its way forward is part of this step as well: patch, then make the delta back.
        results.AddStep(tool.Name, DeltaStep.Patch, DeltaStep.PatchAndReverse, round);
        foreach (var command in tool.Commands(files.Turned()))
        {
            var run = await MeasureAsync(command, files, cancellation);
            if (command.Step == DeltaStep.Patch)
            {
                results.Add(tool.Name, DeltaStep.Restore, round, run);
                Check(tool, command, files.Old);
                continue;
            }

            results.Add(tool.Name, DeltaStep.PatchAndReverse, round, run);
            if (command.Step == DeltaStep.Diff)
            {
                await NoteSizeAsync(tool, DeltaStep.PatchAndReverse, command.Product, results);
            }
        }
    }

    private async Task<Measured> MeasureAsync(DeltaCommand command, DeltaFiles files, CancellationToken cancellation)
    {
        Files.Remove(command.Product);
        if (command.OnCopyOf is { } source)
        {
            File.Copy(source, command.Product);
            File.SetLastWriteTimeUtc(command.Product, VersionFolder.Times[0]);
        }

        return await Measured.RunAsync(command.Line, files.Scratch, limit, cancellation: cancellation);
    }

    private static void Check(DeltaTool tool, DeltaCommand command, string expected)
    {
        if (!Files.Same(command.Product, expected))
        {
            throw new BenchException($"what {tool.Name} made with {string.Join(' ', command.Line)} is not {expected}.");
        }
    }

    private static async Task NoteSizeAsync(DeltaTool tool, DeltaStep step, string path, DeltaResults results) =>
        results.Product(tool.Name, step, new FileInfo(path).Length, step == DeltaStep.Sign ? null : await Files.CompressedLengthAsync(path));
}
