using Google.Protobuf;
using Grpc.Core;
using Mirror.Cli.Output;
using Mirror.Node.Wire;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands;

/// <summary>The store of a node that runs.</summary>
internal sealed class NodeHistory(Asking asking, string site) : HistorySource
{
    public override async Task<(VersionSummary Version, ChangeCounts? Changes, IReadOnlyList<EntryLine> Entries)> ShowAsync(VersionId version, CancellationToken cancellation)
    {
        VersionSummary? summary = null;
        ChangeCounts? changes = null;
        var entries = new List<EntryLine>();
        using var call = asking.Client.ShowVersion(new ShowRequest { Site = site, Version = Asking.ToWire(version) }, cancellationToken: cancellation);
        await foreach (var reply in call.ResponseStream.ReadAllAsync(cancellation))
        {
            summary ??= reply.Version;
            changes ??= reply.Changes;
            if (reply.Entry is { } entry)
            {
                entries.Add(entry);
            }
        }

        return (summary ?? throw new CommandException($"{asking.Member} did not say what version {version} is. Ask another node with --node."), changes, entries);
    }

    public override async Task<VersionId> NewestAsync(CancellationToken cancellation)
    {
        var versions = await VersionsAsync(cancellation);
        return versions.Count > 0 ? Asking.ToId(versions[^1].Id) : throw new CommandException($"{asking.Member} holds no version of {site} yet.");
    }

    public override async Task<IReadOnlyList<VersionSummary>> VersionsAsync(CancellationToken cancellation)
    {
        var reply = await asking.Client.GetVersionsAsync(new VersionsRequest { Site = site }, deadline: Deadlines.Soon(), cancellationToken: cancellation);
        return reply.Versions;
    }

    public override async Task<IReadOnlyList<ChangeLine>> DiffAsync(VersionId from, VersionId to, CancellationToken cancellation)
    {
        using var call = asking.Client.DiffVersions(
            new DiffRequest { Site = site, From = Asking.ToWire(from), To = Asking.ToWire(to) }, cancellationToken: cancellation);
        return await ToListAsync(call.ResponseStream, cancellation);
    }

    public override async Task<IReadOnlyList<ChangeLine>> FindAsync(byte[] pattern, CancellationToken cancellation)
    {
        using var call = asking.Client.FindPath(new FindRequest { Site = site, Pattern = ByteString.CopyFrom(pattern) }, cancellationToken: cancellation);
        return await ToListAsync(call.ResponseStream, cancellation);
    }

    public override async Task ReadAsync(VersionId version, byte[] path, Stream output, CancellationToken cancellation)
    {
        using var call = asking.Client.ReadContent(
            new ReadContentRequest { Site = site, Version = Asking.ToWire(version), Path = ByteString.CopyFrom(path) }, cancellationToken: cancellation);
        await foreach (var piece in call.ResponseStream.ReadAllAsync(cancellation))
        {
            await output.WriteAsync(piece.Data.Memory, cancellation);
        }
    }

    public override Task<RestoreOutcome> RestoreAsync(RestoreRequest request, Shown shown, CancellationToken cancellation) =>
        RestoreAsync(asking.Client, asking.Member, new RestoreRequest(request) { Site = site }, shown, cancellation);

    public static async Task<RestoreOutcome> RestoreAsync(Control.ControlClient client, string node, RestoreRequest request, Shown shown, CancellationToken cancellation)
    {
        RestoreOutcome? outcome = null;
        using var call = client.Restore(request, cancellationToken: cancellation);
        await foreach (var progress in call.ResponseStream.ReadAllAsync(cancellation))
        {
            shown.Progress($"{progress.Step} {progress.Done}/{progress.Total}");
            outcome = progress.Restore ?? outcome;
        }

        return outcome ?? throw new CommandException($"{node} did not say how the restore ended; look at {request.Destination} there.");
    }

    public override ValueTask DisposeAsync()
    {
        asking.Dispose();
        return ValueTask.CompletedTask;
    }

    private static async Task<IReadOnlyList<ChangeLine>> ToListAsync(IAsyncStreamReader<ChangeLine> stream, CancellationToken cancellation)
    {
        var lines = new List<ChangeLine>();
        await foreach (var line in stream.ReadAllAsync(cancellation))
        {
            lines.Add(line);
        }

        return lines;
    }
}
