using System.CommandLine;
using System.Globalization;
using Grpc.Core;
using Mirror.Cli.Hosting;
using Mirror.Cli.Output;
using Mirror.Node.Wire;
using Mirror.Store.Manifests;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror show VERSION</c>: its record and its entries.</summary>
internal static class ShowCommand
{
    public static Command Create()
    {
        var version = new Argument<string>("version") { Description = "Such as 3.127." };
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = ClusterOptions.Site();
        var store = EmbeddedStore.Option();
        var command = new Command("show", "Show what a version holds, entry by entry.\n\nExamples: mirror show 3.127; mirror show 1.2 --store /backup/wiki --json")
        {
            version, config, member, site, store,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            var id = Asking.ParseVersion(parsed.GetValue(version)!);
            VersionSummary? summary = null;
            var entries = new List<EntryLine>();
            if (parsed.GetValue(store) is { } directory)
            {
                await using var opened = await EmbeddedStore.OpenAsync(directory, create: false, cancellation);
                var manifest = opened.ManifestOf(id);
                summary = VersionText.Summary(opened.Versions.First(kept => kept.Record.Id == id));
                entries.AddRange(manifest.Entries.Select(EntryLines.Of));
            }
            else
            {
                using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member), suits: found => found.Kind == Node.Configuration.MemberKind.Node);
                var request = new ShowRequest { Site = ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site)), Version = Asking.ToWire(id) };
                using var call = asking.Client.ShowVersion(request, cancellationToken: cancellation);
                await foreach (var reply in call.ResponseStream.ReadAllAsync(cancellation))
                {
                    summary ??= reply.Version;
                    if (reply.Entry is { } entry)
                    {
                        entries.Add(entry);
                    }
                }
            }

            shown.Result(new { version = VersionText.ToJson(summary!), entries = entries.Select(ToJson) }, output =>
            {
                output.WriteLine($"{VersionText.Name(summary!.Id)} of {VersionText.TimeOf(summary).UtcDateTime:yyyy-MM-dd HH:mm:ss.fff} UTC by {summary.Origin}, root {Convert.ToHexStringLower(summary.Root.Span)}");
                foreach (var entry in entries)
                {
                    var target = entry.Target.IsEmpty ? "" : $" -> {EntryPathText(entry.Target.Span)}";
                    output.WriteLine(string.Create(
                        CultureInfo.InvariantCulture,
                        $"{entry.Type,-10} {Convert.ToString(entry.Mode, 8),4} {entry.Owner,-8} {entry.Group,-8} {entry.Size,12} {DateTimeOffset.UnixEpoch.AddTicks(entry.MtimeUnixNs / 100).UtcDateTime:yyyy-MM-dd HH:mm:ss} {EntryPathText(entry.Path.Span)}{target}"));
                }
            });
            return ExitCode.Ok;
        });
        return command;
    }

    private static object ToJson(EntryLine entry) => new
    {
        path = EntryPathText(entry.Path.Span),
        path_base64 = entry.Path.ToBase64(),
        type = entry.Type,
        mode = Convert.ToString(entry.Mode, 8),
        owner = entry.Owner,
        group = entry.Group,
        size = entry.Size,
        mtime_unix_ns = entry.MtimeUnixNs,
        sha256 = entry.Sha256.IsEmpty ? null : Convert.ToHexStringLower(entry.Sha256.Span),
        target = entry.Target.IsEmpty ? null : EntryPathText(entry.Target.Span),
    };

    // A link's target need not be a path inside the tree; only its display is wanted.
    private static string EntryPathText(ReadOnlySpan<byte> bytes) => bytes.IsEmpty ? "." : EntryPath.Display(bytes);
}
