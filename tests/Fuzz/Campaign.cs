using System.Collections.Concurrent;

namespace Mirror.Fuzz;

/// <summary>
/// A run over some parsers: each gets the same share of the cases, in pieces, so that the threads end together. A piece has a seed of its own, derived from the run's.
/// </summary>
internal sealed class Campaign(IReadOnlyList<string> parsers, int seed, int threads, string failures, TimeProvider time)
{
    // A guided search wants time to go on from what it found.
    private static readonly long Piece = Coverage.IsOn ? 1_000_000 : 50_000;

    /// <param name="cases">Of all parsers together.</param>
    /// <param name="report">Called from any thread, when a piece is done.</param>
    public IReadOnlyList<Tally> Run(long cases, Action<Tally> report, CancellationToken cancellation)
    {
        var pieces = new ConcurrentQueue<(string Parser, long Number, long Cases)>();
        var share = (cases + parsers.Count - 1) / parsers.Count;
        for (long number = 0; number * Piece < share; number++)
        {
            foreach (var parser in parsers)
            {
                pieces.Enqueue((parser, number, Math.Min(Piece, share - (number * Piece))));
            }
        }

        var tallies = new ConcurrentBag<Tally>();
        var workers = Enumerable.Range(0, threads).Select(_ => new Thread(() => Work(pieces, tallies, report, cancellation), maxStackSize: 1 << 20)).ToList();
        workers.ForEach(static worker => worker.Start());
        workers.ForEach(static worker => worker.Join());
        return
        [
            .. tallies.GroupBy(static tally => tally.Parser).OrderBy(group => parsers.ToList().IndexOf(group.Key)).Select(static group => new Tally(
                group.Key, group.Sum(static tally => tally.Cases), group.Sum(static tally => tally.Accepted), group.Max(static tally => tally.Ways), group.Max(static tally => tally.Corpus), group.Max(static tally => tally.MostAllocated),
                [.. group.SelectMany(static tally => tally.Findings)])),
        ];
    }

    /// <summary>Of one piece: the same for the same run seed, parser and number.</summary>
    public static int SeedOf(int seed, string parser, long number)
    {
        var hash = unchecked((uint)seed * 2_654_435_761);
        foreach (var letter in $"{parser}/{number}")
        {
            hash = unchecked((hash ^ letter) * 16_777_619);
        }

        return (int)(hash & int.MaxValue);
    }

    private void Work(ConcurrentQueue<(string Parser, long Number, long Cases)> pieces, ConcurrentBag<Tally> tallies, Action<Tally> report, CancellationToken cancellation)
    {
        using var watchdog = new Watchdog(failures, time);
        while (!cancellation.IsCancellationRequested && pieces.TryDequeue(out var piece))
        {
            using var parser = ParserList.ByName[piece.Parser]();
            var tally = new Fuzzer(parser, SeedOf(seed, piece.Parser, piece.Number), watchdog, failures, alone: threads == 1).Run(piece.Cases, cancellation);
            tallies.Add(tally);
            report(tally);
        }
    }
}
