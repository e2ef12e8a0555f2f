using System.CommandLine;
using Mirror.Cli.Output;

namespace Mirror.Cli.Commands.Delta;

/// <summary><c>mirror delta invert OLD DELTA REVERSE</c>.</summary>
internal static class DeltaInvertCommand
{
    public static Command Create()
    {
        var old = new Argument<string>("old") { Description = "The old file; a regular one." };
        var delta = new Argument<string>("delta") { Description = "The delta from the old file to the new one; a regular file." };
        var reverse = new Argument<string>("reverse") { Description = "Where the delta from the new file to the old one goes, or -." };
        var command = new Command(
            "invert",
            "Turn a delta round: what leads from the old file to the new one leads back. The new file is built beside the result, checked, and removed again.\n\n" +
            "Example: mirror delta invert dump.1 dump.delta dump.back")
        {
            old, delta, reverse,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            await using var basis = InputFile.Open(parsed.GetValue(old)!, shown);
            basis.RequireSeekable("a patch jumps about in the old file");
            await using var input = InputFile.Open(parsed.GetValue(delta)!, shown);
            input.RequireSeekable("the delta is read twice");
            await using var output = OutputFile.Create(parsed.GetValue(reverse)!);
            await using var newer = output.CreateScratch();
            await DeltaPatchCommand.ApplyAsync(basis, input, newer, cancellation);
            await DeltaPatchCommand.WriteReverseAsync(basis, input, newer, output.Stream, cancellation);
            output.Complete();
            shown.EndProgress();
            output.Report(shown, new Fields { ["ok"] = true, ["bytes"] = basis.ExpectedLength, ["reverse_bytes"] = output.Length });
            return ExitCode.Ok;
        });
        return command;
    }
}
