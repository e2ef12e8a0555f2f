using Mirror.Fuzz.Parsers;

namespace Mirror.Fuzz;

/// <summary>Everything that reads bytes of others: from a disk that may be ill, from a peer that may be hostile, from people.</summary>
internal static class ParserList
{
    private static readonly Func<Parser>[] all =
    [
        static () => new SignatureParser(), static () => new SignatureUse(), static () => new DeltaApply(), static () => new DeltaInvert(), static () => new DeltaCompose(),
        static () => new DeltaFileApply(), static () => new SignatureFileParser(), static () => new KeyFileParser(),
        static () => new Parsers.PackBytes(), static () => new PackPart(), static () => new PackZstd(),
        static () => new HeaderRecord(), static () => new IndexRecord(), static () => new ChangesParser(), static () => new EntryRecord(), static () => new VersionParser(),
        static () => new PathParser(), static () => new FollowParser(), static () => new FillParser(),
        static () => new JournalParser(), static () => new FactsParser(), static () => new MarkerParser(), static () => new VoteParser(), static () => new EpochParser(), static () => new ProxyEpochParser(), static () => new HoldingParser(),
        static () => new ConfigParser(), static () => new WordParser(), static () => new GuardParser(), static () => new ExcludeParser(),
    ];

    public static IReadOnlyDictionary<string, Func<Parser>> ByName { get; } = all.ToDictionary(static make =>
    {
        using var parser = make();
        return parser.Name;
    });
}
