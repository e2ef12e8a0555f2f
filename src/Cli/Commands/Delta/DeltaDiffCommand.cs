using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Delta;
using Mirror.Store.DeltaFiles;

namespace Mirror.Cli.Commands.Delta;

/// <summary><c>mirror delta diff SIG NEW DELTA</c>.</summary>
internal static class DeltaDiffCommand
{
    public static Command Create()
    {
        var signature = new Argument<string>("sig") { Description = "The signature of the old file, or -." };
        var newer = new Argument<string>("new") { Description = "The new file, or - for standard input." };
        var delta = new Argument<string>("delta") { Description = "Where the delta goes, or -." };
        var basis = new Option<string?>("--basis") { Description = "The old file itself, when it is at hand: the delta becomes exact to the byte, and smaller." };
        var quick = new Option<bool>("--quick") { Description = "Know the new file by XXH3-128 instead of SHA-256: finds accidents, not forgery; several times as fast where a processor has no instructions for SHA-256." };
        var newSignature = new Option<string?>("--new-sig") { Description = "Where the signature of the new file goes; it falls out of the same reading." };
        var command = new Command(
            "diff",
            "Find what changed, in one reading of the new file. The delta is compressed, and knows the new file's hash.\n\n" +
            "Example: mirror delta diff dump.sig dump.2 dump.delta --basis dump.1")
        {
            signature, newer, delta, basis, quick, newSignature,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            SignatureFile old;
            await using (var signed = InputFile.Open(parsed.GetValue(signature)!, shown))
            {
                old = await SignatureFile.ReadAsync(signed.Stream, signed.Name, cancellation);
            }

            await using var input = InputFile.Open(parsed.GetValue(newer)!, shown);
            await using var output = OutputFile.Create(parsed.GetValue(delta)!);
            await using var next = parsed.GetValue(newSignature) is { } path ? OutputFile.Create(path) : null;
            var hash = parsed.GetValue(quick) ? WholeHash.XxHash128 : WholeHash.Sha256;
            ContentDigest digest;
            await using (var writer = new DeltaFileWriter(output.Stream, old.Signature.ContentLength, hash))
            {
                digest = parsed.GetValue(basis) is { } at
                    ? await DiffExactAsync(input, old, at, hash, writer.Delta, shown, cancellation)
                    : await FileDelta.EncodeAsync(input.Stream, old.Signature, old.Key, writer.Delta, cancellation, hash);
                await writer.CompleteAsync(digest.Length, digest.Hash);
            }

            if (next is not null)
            {
                new SignatureFile(old.Key, digest.Signature).WriteTo(next.Stream);
                next.Complete();
            }

            output.Complete();
            shown.EndProgress();
            output.Report(shown, new Fields { ["ok"] = true, ["bytes"] = digest.Length, ["hash"] = Convert.ToHexStringLower(digest.Hash), ["delta_bytes"] = output.Length });
            return ExitCode.Ok;
        });
        return command;
    }

    private static async Task<ContentDigest> DiffExactAsync(InputFile input, SignatureFile old, string basis, WholeHash hash, Stream delta, Shown shown, CancellationToken cancellation)
    {
        input.RequireSeekable("with --basis the new file's edited places are read twice");
        await using var content = InputFile.Open(basis, shown);
        content.RequireSeekable("the basis is read where the new file agrees with it");
        if (content.ExpectedLength != old.Signature.ContentLength)
        {
            throw new CommandException($"{basis} has {content.ExpectedLength} bytes; the file that was signed had {old.Signature.ContentLength}. Give the one that was signed, or leave --basis out.");
        }

        var digest = await FileDelta.EncodeExactAsync(input.Stream, old.Signature, content.Stream, old.Key, delta, cancellation, hash);
        input.RequireUnchanged();
        content.RequireUnchanged();
        return digest;
    }
}
