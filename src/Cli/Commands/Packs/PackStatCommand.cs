using System.CommandLine;
using System.Globalization;
using Mirror.Cli.Output;
using Mirror.Store.Packs;

namespace Mirror.Cli.Commands.Packs;

/// <summary><c>mirror pack stat PACK</c>.</summary>
internal static class PackStatCommand
{
    public static Command Create()
    {
        var pack = PackInput.Argument();
        var keys = PackInput.KeyFiles();
        var command = new Command(
            "stat",
            "Count what a pack is made of: frames by kind, before and after compression, and contents by kind with what they came to.\n\nExample: mirror pack stat 1.1-1.2.pack")
        {
            pack, keys,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            await using var input = await PackInput.OpenAsync(parsed.GetValue(pack)!, parsed.GetValue(keys), cancellation);
            var reader = input.Reader;
            var changes = reader.ReadChanges();
            var totals = reader.Totals();
            var wholes = Sum(reader.Blobs.Where(blob => blob.Basis.IsNone));
            var deltas = Sum(reader.Blobs.Where(blob => !blob.Basis.IsNone));
            shown.Result(
                new Fields
                {
                    ["header"] = PackText.Header(reader),
                    ["frames"] = totals.Select(kind => new Fields { ["kind"] = kind.Kind, ["frames"] = kind.Frames, ["compressed"] = kind.Compressed, ["raw"] = kind.Raw, ["stored"] = kind.Stored }),
                    ["whole"] = new Fields { ["count"] = wholes.Count, ["size"] = wholes.Size, ["delta_bytes"] = wholes.Bytes },
                    ["delta"] = new Fields { ["count"] = deltas.Count, ["size"] = deltas.Size, ["delta_bytes"] = deltas.Bytes },
                    ["moved"] = changes.Moves.Count,
                    ["put"] = changes.Put.Count,
                    ["removed"] = changes.Removed.Count,
                    ["ratio"] = Ratio(wholes.Size + deltas.Size, reader.Length),
                },
                output =>
                {
                    PackText.WriteHeader(reader, output);
                    var frames = Tables.New("frames", "number", "compressed", "raw bytes", "stored bytes", "ratio");
                    foreach (var kind in totals)
                    {
                        Tables.Row(frames, kind.Kind, Text(kind.Frames), Text(kind.Compressed), Text(kind.Raw), Text(kind.Stored), Text(Ratio(kind.Raw, kind.Stored)));
                    }

                    var contents = Tables.New("contents", "number", "bytes", "as deltas", "ratio");
                    Tables.Row(contents, "whole", Text(wholes.Count), Text(wholes.Size), Text(wholes.Bytes), Text(Ratio(wholes.Size, wholes.Bytes)));
                    Tables.Row(contents, "delta", Text(deltas.Count), Text(deltas.Size), Text(deltas.Bytes), Text(Ratio(deltas.Size, deltas.Bytes)));
                    Tables.On(output).Write(frames);
                    Tables.On(output).Write(contents);
                    output.WriteLine($"{(changes.Moves.Count == 0 ? "" : $"{changes.Moves.Count} directories moved, ")}{changes.Put.Count} entries put, {changes.Removed.Count} removed; {wholes.Size + deltas.Size} bytes of contents in a pack of {reader.Length} (ratio {Text(Ratio(wholes.Size + deltas.Size, reader.Length))})");
                });
            return ExitCode.Ok;
        });
        return command;
    }

    private static (int Count, long Size, long Bytes) Sum(IEnumerable<BlobInfo> blobs) =>
        blobs.Aggregate((Count: 0, Size: 0L, Bytes: 0L), (sum, blob) => (sum.Count + 1, sum.Size + blob.Size, sum.Bytes + blob.StoredBytes));

    private static double? Ratio(long before, long after) => after == 0 ? null : Math.Round((double)before / after, 3);

    private static string Text(IFormattable? number) => number?.ToString(null, CultureInfo.InvariantCulture) ?? "-";
}
