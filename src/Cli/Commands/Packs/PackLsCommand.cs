using System.CommandLine;
using System.Globalization;
using Mirror.Cli.Output;

namespace Mirror.Cli.Commands.Packs;

/// <summary><c>mirror pack ls PACK</c>.</summary>
internal static class PackLsCommand
{
    public static Command Create()
    {
        var pack = PackInput.Argument();
        var keys = PackInput.KeyFiles();
        var command = new Command(
            "ls",
            "List what a pack holds: where it leads, what it changes, and each content it brings, whole or as a delta. An entry whose content is \"kept\" takes it from the version before.\n\n" +
            "Examples: mirror pack ls 1.1-1.2.pack; ssh beta cat 1.1-1.2.pack | mirror pack ls - --json")
        {
            pack, keys,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            await using var input = await PackInput.OpenAsync(parsed.GetValue(pack)!, parsed.GetValue(keys), cancellation);
            var reader = input.Reader;
            var changes = reader.ReadChanges();
            shown.Result(
                new Fields
                {
                    ["header"] = PackText.Header(reader),
                    ["moved"] = changes.Moves.Select(move => new Fields { ["from"] = PackText.PathOf(move.From), ["to"] = PackText.PathOf(move.To) }),
                    ["put"] = changes.Put.Select(entry => new Fields
                    {
                        ["path"] = PackText.PathOf(entry.Path),
                        ["path_base64"] = Convert.ToBase64String(entry.Path.Bytes),
                        ["type"] = entry.Type,
                        ["mode"] = Convert.ToString(entry.Mode, 8),
                        ["size"] = entry.Size,
                        ["sha256"] = PackText.OrNull(entry.Hash),
                        ["content"] = PackText.ContentOf(reader, entry),
                    }),
                    ["removed"] = changes.Removed.Select(PackText.PathOf),
                    ["blobs"] = reader.Blobs.Select(blob => new Fields
                    {
                        ["sha256"] = blob.Hash.ToString(), ["kind"] = blob.Basis.IsNone ? "whole" : "delta", ["basis"] = PackText.OrNull(blob.Basis), ["size"] = blob.Size, ["delta_bytes"] = blob.StoredBytes,
                    }),
                },
                output =>
                {
                    PackText.WriteHeader(reader, output);
                    output.WriteLine($"\n{(changes.Moves.Count == 0 ? "" : $"{changes.Moves.Count} directories moved with all they hold; beside that ")}{changes.Put.Count} put, {changes.Removed.Count} removed");
                    foreach (var move in changes.Moves)
                    {
                        output.WriteLine($"moved    {"directory",-29} {PackText.PathOf(move.From)} -> {PackText.PathOf(move.To)}");
                    }

                    foreach (var entry in changes.Put)
                    {
                        output.WriteLine(string.Create(
                            CultureInfo.InvariantCulture, $"put      {entry.Type.ToString().ToLowerInvariant(),-9} {entry.Size,13} {PackText.ContentOf(reader, entry) ?? "-",-5} {PackText.PathOf(entry.Path)}"));
                    }

                    foreach (var path in changes.Removed)
                    {
                        output.WriteLine($"removed  {"",-29} {PackText.PathOf(path)}");
                    }

                    output.WriteLine($"\n{reader.Blobs.Count} contents");
                    foreach (var blob in reader.Blobs)
                    {
                        output.WriteLine(string.Create(
                            CultureInfo.InvariantCulture,
                            $"{blob.Hash} {blob.Size,13} bytes, {(blob.Basis.IsNone ? "whole" : $"delta of {blob.StoredBytes} bytes from {blob.Basis}")}"));
                    }
                });
            return ExitCode.Ok;
        });
        return command;
    }
}
