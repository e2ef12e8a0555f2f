using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Delta;
using Mirror.Store.DeltaFiles;

namespace Mirror.Cli.Commands.Delta;

/// <summary><c>mirror delta compose D1 D2 OUT</c>.</summary>
internal static class DeltaComposeCommand
{
    public static Command Create()
    {
        var first = new Argument<string>("first") { Description = "The delta from A to B." };
        var second = new Argument<string>("second") { Description = "The delta from B to C." };
        var composed = new Argument<string>("out") { Description = "Where the delta from A to C goes, or -." };
        var command = new Command(
            "compose",
            "Join two deltas into one, without any of the three files.\n\nExample: mirror delta compose monday.delta tuesday.delta both.delta")
        {
            first, second, composed,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            await using var one = InputFile.Open(parsed.GetValue(first)!, shown);
            await using var two = InputFile.Open(parsed.GetValue(second)!, shown);
            await using var output = OutputFile.Create(parsed.GetValue(composed)!);
            using var firstReader = new DeltaFileReader(one.Stream, one.Name);
            using var secondReader = new DeltaFileReader(two.Stream, two.Name);

            // The literals of the first are wanted out of order: it lies uncompressed beside the result for a while.
            await using var plain = output.CreateScratch();
            await firstReader.Delta.CopyToAsync(plain, cancellation);
            plain.Position = 0;
            var between = firstReader.Target.TargetLength;
            if (between != secondReader.BasisLength)
            {
                throw new CommandException($"{one.Name} leads to a file of {between} bytes; {two.Name} starts from one of {secondReader.BasisLength}. Give two deltas that follow each other.");
            }

            await using var writer = new DeltaFileWriter(output.Stream, firstReader.BasisLength, secondReader.Hash);
            await FileDelta.ComposeAsync(plain, secondReader.Delta, writer.Delta, cancellation);
            var target = secondReader.Target;
            await writer.CompleteAsync(target.TargetLength, target.Hash);
            output.Complete();
            shown.EndProgress();
            output.Report(shown, new Fields { ["ok"] = true, ["bytes"] = target.TargetLength, ["delta_bytes"] = output.Length });
            return ExitCode.Ok;
        });
        return command;
    }
}
