using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Delta;
using Mirror.Store.DeltaFiles;

namespace Mirror.Cli.Commands.Delta;

/// <summary><c>mirror delta sign OLD SIG</c>.</summary>
internal static class DeltaSignCommand
{
    public static Command Create()
    {
        var old = new Argument<string>("old") { Description = "The file to sign, or - for standard input." };
        var signature = new Argument<string>("sig") { Description = "Where its signature goes, or -." };
        var command = new Command("sign", "Sign a file: what a later diff needs to know of it, 2 to 4 % of its size.\n\nExample: mirror delta sign dump.1 dump.sig") { old, signature };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            await using var input = InputFile.Open(parsed.GetValue(old)!, shown);
            await using var output = OutputFile.Create(parsed.GetValue(signature)!);
            var key = SignatureFile.NewKey();
            var made = await BlockSignature.OfAsync(input.Stream, input.ExpectedLength, key, cancellation);
            new SignatureFile(key, made).WriteTo(output.Stream);
            output.Complete();
            shown.EndProgress();
            output.Report(shown, new Fields { ["ok"] = true, ["bytes"] = made.ContentLength, ["block_length"] = made.BlockLength, ["signature_bytes"] = output.Length });
            return ExitCode.Ok;
        });
        return command;
    }
}
