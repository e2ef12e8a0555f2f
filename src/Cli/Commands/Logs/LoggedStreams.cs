using Mirror.Cli.Output;
using Mirror.Node.Wire;
using Mirror.Store.Logs;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands.Logs;

/// <summary>A piece of a stream as one version has it.</summary>
internal readonly record struct HeldSegment(VersionId Version, DateTimeOffset Time, EntryPath Path, long Offset, long Size)
{
    public long End => Offset + Size;
}

/// <summary>One stream over all versions that are kept, oldest first.</summary>
internal sealed record LoggedStream(LogStreamId Id, EntryPath Log, IReadOnlyList<HeldSegment> Held)
{
    /// <summary>The offset after the last byte that these versions have.</summary>
    public long EndIn(Func<HeldSegment, bool> among) => Held.Where(among).Select(static held => held.End).DefaultIfEmpty(0).Max();

    /// <summary>The fullest of each segment, in order.</summary>
    public IEnumerable<HeldSegment> Segments => Held.GroupBy(static held => held.Offset).OrderBy(static group => group.Key).Select(static group => group.MaxBy(static held => held.Size));
}

/// <summary>The logs of a site as its versions hold them: streams, and in which version each piece of them is. A branch that diverged counts for nothing.</summary>
internal sealed record LoggedStreams(IReadOnlyList<LoggedStream> Streams, IReadOnlyList<VersionId> Unknown)
{
    public static async Task<LoggedStreams> FindAsync(HistorySource history, CancellationToken cancellation)
    {
        var versions = await history.VersionsAsync(cancellation);
        var diverged = versions.Where(static version => version.Note.StartsWith("diverged", StringComparison.Ordinal)).Select(static version => Asking.ToId(version.Id)).ToHashSet();
        var held = new Dictionary<(LogStreamId Id, EntryPath Log), List<HeldSegment>>();
        var unknown = new List<VersionId>();
        foreach (var line in await history.FindAsync(LogSegment.Directory.Bytes.ToArray(), cancellation))
        {
            var version = Asking.ToId(line.Version);
            if (line.Kind.Length == 0)
            {
                unknown.Add(version);
            }
            else if (line.After is { Type: "file" } after && !diverged.Contains(version) && LogSegment.TryParse(EntryPath.Parse(line.Path.Span), out var segment))
            {
                var key = (segment.Stream, segment.Log);
                if (!held.TryGetValue(key, out var pieces))
                {
                    held.Add(key, pieces = []);
                }

                pieces.Add(new HeldSegment(version, DateTimeOffset.UnixEpoch.AddTicks(line.TimeUnixNs / 100), segment.Path, segment.Offset, (long)after.Size));
            }
        }

        return new LoggedStreams([.. held.OrderBy(static pair => pair.Key.Id).Select(static pair => new LoggedStream(pair.Key.Id, pair.Key.Log, pair.Value))], unknown);
    }

    /// <summary>The streams of one log, in the order in which they began.</summary>
    /// <exception cref="CommandException">There is no such log.</exception>
    public IReadOnlyList<LoggedStream> Of(EntryPath log)
    {
        var found = Streams.Where(stream => stream.Log == log).ToList();
        if (found.Count > 0)
        {
            return found;
        }

        var known = Streams.Select(static stream => stream.Log.ToString()).Distinct().Take(5).ToList();
        throw new CommandException(known.Count == 0
            ? "no version that is kept has logs. A site's `files.logs.patterns` say which files are logs; `mirror cat` shows any other file."
            : $"no version that is kept has a log {log}. `mirror logs ls` lists them: {string.Join(", ", known)}{(known.Count == 5 ? " …" : "")}");
    }
}
