using Mirror.Cli.Hosting;
using Mirror.Cli.Output;
using Mirror.Node.Wire;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands;

/// <summary>A store that this process has open.</summary>
internal sealed class StoreHistory(VersionStore store) : HistorySource
{
    public override Task<(VersionSummary Version, ChangeCounts? Changes, IReadOnlyList<EntryLine> Entries)> ShowAsync(VersionId version, CancellationToken cancellation)
    {
        var manifest = store.ManifestOf(version);
        var kept = store.Versions.First(kept => kept.Record.Id == version);
        return Task.FromResult<(VersionSummary, ChangeCounts?, IReadOnlyList<EntryLine>)>(
            (VersionText.Summary(kept), HistoryAnswers.Counts(store, kept.Record), [.. manifest.Entries.Select(EntryLines.Of)]));
    }

    public override Task<VersionId> NewestAsync(CancellationToken cancellation) =>
        Task.FromResult(store.Head?.Id ?? throw new CommandException($"the store {store.Directory} is empty. `mirror save` puts versions there."));

    public override Task<IReadOnlyList<VersionSummary>> VersionsAsync(CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<VersionSummary>>([.. store.Versions.Select(VersionText.Summary)]);

    public override Task<IReadOnlyList<ChangeLine>> DiffAsync(VersionId from, VersionId to, CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<ChangeLine>>([.. HistoryAnswers.Diff(store, from, to)]);

    public override Task<IReadOnlyList<ChangeLine>> FindAsync(byte[] pattern, CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<ChangeLine>>([.. HistoryAnswers.Find(store, pattern)]);

    public override Task ReadAsync(VersionId version, byte[] path, Stream output, CancellationToken cancellation) =>
        store.CopyContentAsync(version, EntryPath.Parse(path), output, cancellation);

    public override async Task<RestoreOutcome> RestoreAsync(RestoreRequest request, Shown shown, CancellationToken cancellation)
    {
        if (request.Databases is not null)
        {
            throw new CommandException("a store by itself has no databases: leave --store out and ask a node, or restore the dumps to a directory with --path .mirror/dumps.", ExitCode.Usage);
        }

        var (version, options) = (Asking.ToId(request.Version), HistoryAnswers.Options(request));
        return request.DryRun
            ? HistoryAnswers.Of(await store.PlanRestoreAsync(version, request.Destination, options, cancellation))
            : HistoryAnswers.Of(await store.RestoreAsync(version, request.Destination, options, new ShownProgress(shown), cancellation), request.Destination);
    }

    public override ValueTask DisposeAsync() => store.DisposeAsync();
}
