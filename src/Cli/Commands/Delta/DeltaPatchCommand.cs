using System.CommandLine;
using System.IO.Hashing;
using Mirror.Cli.Output;
using Mirror.Delta;
using Mirror.Store.DeltaFiles;

namespace Mirror.Cli.Commands.Delta;

/// <summary><c>mirror delta patch OLD DELTA NEW</c>.</summary>
internal static class DeltaPatchCommand
{
    public static Command Create()
    {
        var old = new Argument<string>("old") { Description = "The old file; a regular one." };
        var delta = new Argument<string>("delta") { Description = "The delta, or - for standard input." };
        var newer = new Argument<string>("new") { Description = "Where the new file goes, or -." };
        var reverse = new Option<string?>("--reverse") { Description = "Where a delta from the new file back to the old one goes; derived, not searched." };
        var command = new Command(
            "patch",
            "Build the new file, and check its hash before it gets its name.\n\nExample: mirror delta patch dump.1 dump.delta dump.new --reverse dump.back")
        {
            old, delta, newer, reverse,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            await using var basis = InputFile.Open(parsed.GetValue(old)!, shown);
            basis.RequireSeekable("a patch jumps about in the old file");
            await using var input = InputFile.Open(parsed.GetValue(delta)!, shown);
            await using var output = OutputFile.Create(parsed.GetValue(newer)!);
            await using var back = parsed.GetValue(reverse) is { } path ? OutputFile.Create(path) : null;
            if (back is not null)
            {
                input.RequireSeekable("with --reverse the delta is read twice");
                output.RequireFile("with --reverse the new file is read again");
            }

            var (length, hash) = await ApplyAsync(basis, input, output.Stream, cancellation);
            if (back is not null)
            {
                await WriteReverseAsync(basis, input, output.Stream, back.Stream, cancellation);
                back.Complete();
            }

            output.Complete();
            shown.EndProgress();
            output.Report(shown, new Fields { ["ok"] = true, ["bytes"] = length, ["hash"] = Convert.ToHexStringLower(hash), ["reverse_bytes"] = back?.Length });
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>Builds the target and checks it.</summary>
    public static async Task<(long Length, byte[] Hash)> ApplyAsync(InputFile basis, InputFile delta, Stream target, CancellationToken cancellation)
    {
        using var reader = new DeltaFileReader(delta.Stream, delta.Name);
        if (basis.ExpectedLength != reader.BasisLength)
        {
            throw new CommandException($"{basis.Name} has {basis.ExpectedLength} bytes; the delta {delta.Name} was made for a file of {reader.BasisLength}. Give that one.");
        }

        return await reader.ApplyAsync(basis.Stream, target, cancellation);
    }

    /// <summary>new → old, once the new content is built and checked. The reverse carries the old file's quick hash: nobody has its SHA-256.</summary>
    public static async Task WriteReverseAsync(InputFile basis, InputFile delta, Stream target, Stream reverse, CancellationToken cancellation)
    {
        delta.Stream.Position = 0;
        using var reader = new DeltaFileReader(delta.Stream, delta.Name);
        await using var writer = new DeltaFileWriter(reverse, target.Length, WholeHash.XxHash128);
        await using var again = File.OpenRead(basis.Name);
        var hash = new XxHash128();
        var hashing = hash.AppendAsync(again, cancellation);
        await FileDelta.InvertAsync(basis.Stream, target, reader.Delta, writer.Delta, cancellation);
        await hashing;
        basis.RequireUnchanged();
        await writer.CompleteAsync(basis.ExpectedLength, hash.GetCurrentHash());
    }
}
