using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Store.Packs;

namespace Mirror.Cli.Commands.Packs;

/// <summary><c>mirror pack verify PACK</c>.</summary>
internal static class PackVerifyCommand
{
    public static Command Create()
    {
        var pack = PackInput.Argument();
        var keys = PackInput.KeyFiles();
        var basis = new Option<string?>("--basis-tree") { Description = "A tree of the version the pack starts from: with it the contents of deltas are checked as well." };
        var command = new Command(
            "verify",
            "Check a pack: every frame's checksum (and tag, when it is encrypted), the index, every record, every delta within its bounds, and the SHA-256 of every whole content. " +
            $"Exit code {ExitCode.Findings} when something is not in order.\n\n" +
            "Examples: mirror pack verify 1.1-1.2.pack; mirror pack verify history/1.2-1.1.pack --basis-tree /backup/wiki/current")
        {
            pack, keys, basis,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            try
            {
                await using var input = await PackInput.OpenAsync(parsed.GetValue(pack)!, parsed.GetValue(keys), cancellation);
                var tree = parsed.GetValue(basis) is { } directory ? await BasisTree.SearchAsync(directory, input.Reader, cancellation) : null;
                var progress = new Contents(shown);
                var check = await PackVerification.RunAsync(input.Reader, hash => tree?.Open(hash), progress, cancellation);
                shown.EndProgress();
                return Report(shown, input.Reader, check, tree is not null);
            }
            catch (PackFormatException unreadable)
            {
                shown.EndProgress();
                shown.Result(new Fields { ["ok"] = false, ["findings"] = new[] { unreadable.Message } }, output => output.WriteLine(unreadable.Message));
                return ExitCode.Findings;
            }
        });
        return command;
    }

    private static int Report(Shown shown, PackReader pack, PackCheck check, bool hasTree)
    {
        var ok = check.Findings.Count == 0;
        shown.Result(
            new Fields { ["ok"] = ok, ["frames"] = check.Frames, ["whole_checked"] = check.Wholes, ["delta_checked"] = check.Deltas, ["delta_unchecked"] = check.Unchecked, ["findings"] = check.Findings },
            output =>
            {
                foreach (var finding in check.Findings)
                {
                    output.WriteLine(finding);
                }

                output.WriteLine($"{check.Frames} frames, {check.Wholes} whole contents and {check.Deltas} deltas checked by SHA-256");
                if (check.Unchecked > 0)
                {
                    output.WriteLine(hasTree
                        ? $"{check.Unchecked} deltas not checked by SHA-256: what they copy from is not in that tree. It must be {pack.Header.From} with root {pack.Header.FromRoot}"
                        : $"{check.Unchecked} deltas read within their bounds, but not checked by SHA-256: --basis-tree with a tree of {pack.Header.From} does that");
                }

                output.WriteLine(ok ? "everything checked is in order" : $"{check.Findings.Count} finding(s)");
            });
        return ok ? ExitCode.Ok : ExitCode.Findings;
    }

    private sealed class Contents(Shown shown) : IProgress<(int Done, int Total)>
    {
        public void Report((int Done, int Total) value) => shown.Progress($"contents {value.Done}/{value.Total}");
    }
}
