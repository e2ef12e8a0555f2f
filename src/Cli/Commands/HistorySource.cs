using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Node.Wire;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands;

/// <summary>The options of a command that looks at versions: a store's, or a node's.</summary>
internal sealed class HistoryOptions
{
    private readonly Option<string?> config = ClusterOptions.Config();
    private readonly Option<string?> member = ClusterOptions.Member();
    private readonly Option<string?> site = ClusterOptions.Site();
    private readonly Option<string?> store = EmbeddedStore.Option();

    public Command AddTo(Command command)
    {
        command.Add(config);
        command.Add(member);
        command.Add(site);
        command.Add(store);
        return command;
    }

    public async Task<HistorySource> OpenAsync(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetValue(store) is { } directory)
        {
            return new StoreHistory(await EmbeddedStore.OpenToReadAsync(parsed, directory, cancellation));
        }

        var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member), suits: found => found.Kind == Node.Configuration.MemberKind.Node);
        try
        {
            return new NodeHistory(asking, ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site)));
        }
        catch
        {
            asking.Dispose();
            throw;
        }
    }
}

/// <summary>Versions and what is in them, from a store at hand or from a node that has one open.</summary>
internal abstract class HistorySource : IAsyncDisposable
{
    /// <summary>Its record, what it changed against its parent (null when that cannot be had), and its entries.</summary>
    public abstract Task<(VersionSummary Version, ChangeCounts? Changes, IReadOnlyList<EntryLine> Entries)> ShowAsync(VersionId version, CancellationToken cancellation);

    /// <summary>The newest version.</summary>
    public abstract Task<VersionId> NewestAsync(CancellationToken cancellation);

    /// <summary>All that are kept, oldest first.</summary>
    public abstract Task<IReadOnlyList<VersionSummary>> VersionsAsync(CancellationToken cancellation);

    public abstract Task<IReadOnlyList<ChangeLine>> DiffAsync(VersionId from, VersionId to, CancellationToken cancellation);

    /// <summary>A line without a path: the manifest of its version cannot be had.</summary>
    public abstract Task<IReadOnlyList<ChangeLine>> FindAsync(byte[] pattern, CancellationToken cancellation);

    /// <summary>A file's content; checked before its first byte is written.</summary>
    public abstract Task ReadAsync(VersionId version, byte[] path, Stream output, CancellationToken cancellation);

    /// <summary>A dry run answers with what would be done.</summary>
    public abstract Task<RestoreOutcome> RestoreAsync(RestoreRequest request, Shown shown, CancellationToken cancellation);

    public abstract ValueTask DisposeAsync();
}
