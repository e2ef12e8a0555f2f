using System.Globalization;

namespace Mirror.Fuzz;

/// <summary>What became of one input.</summary>
/// <param name="Way">Equal for inputs that ended alike.</param>
/// <param name="Finding">Null when all was as it must be.</param>
internal readonly record struct Outcome(bool Accepted, int Way, long Allocated, string? Finding);

/// <summary>What a run over one parser saw.</summary>
internal sealed record Tally(string Parser, long Cases, long Accepted, int Ways, int Corpus, long MostAllocated, IReadOnlyList<string> Findings);

/// <summary>Feeds one parser with inputs on one thread. The same seed gives the same inputs in the same order.</summary>
internal sealed class Fuzzer
{
    // The same fault again and again says nothing new.
    private const int MostFindings = 20;

    private readonly Parser parser;
    private readonly Mutator mutator;
    private readonly Corpus corpus;
    private readonly Random random;
    private readonly Watchdog watchdog;
    private readonly string failures;
    private readonly bool alone;
    private readonly Coverage? coverage = Coverage.IsOn ? new Coverage() : null;
    private readonly List<string> findings = [];
    private readonly HashSet<int> known = [];

    /// <param name="alone">Nothing else runs in the process: then what a parser's helper threads allocate counts too.</param>
    public Fuzzer(Parser parser, int seed, Watchdog watchdog, string failures, bool alone)
    {
        this.alone = alone;
        this.parser = parser;
        this.watchdog = watchdog;
        this.failures = failures;
        random = new Random(seed);
        mutator = new Mutator(random);
        corpus = new Corpus(parser.Seeds, random);
    }

    public Tally Run(long cases, CancellationToken cancellation)
    {
        long done = 0, accepted = 0, most = 0;
        foreach (var seed in parser.Seeds)
        {
            // The first reading pays for what every later one shares: compiled code, pooled buffers.
            _ = Try(parser, seed, alone);
            var outcome = Watched(seed);
            if (!outcome.Accepted && outcome.Finding is null)
            {
                Note(seed, outcome with { Finding = "a seed is refused: what is mutated here was never right" });
            }
        }

        for (; done < cases && findings.Count < MostFindings && !cancellation.IsCancellationRequested; done++)
        {
            var input = random.Next(24) == 0 ? mutator.Noise(parser.MaxLength) : mutator.Mutate(corpus.Pick(), corpus.Pick(), parser.MaxLength);
            if (random.Next(4) > 0)
            {
                input = parser.Mended(input);
            }

            var outcome = Watched(input);
            accepted += outcome.Accepted ? 1 : 0;
            most = Math.Max(most, outcome.Allocated);
        }

        return new Tally(parser.Name, done, accepted, corpus.Ways, corpus.Count, most, findings);
    }

    /// <summary>Reads one input and judges how that ended.</summary>
    public static Outcome Try(Parser parser, byte[] input, bool alone)
    {
        var before = Allocated(alone);
        var accepted = false;
        int way;
        string? finding = null;
        try
        {
            way = HashCode.Combine(1, parser.Read(input));
            accepted = true;
        }
        catch (Exception refusal) when (parser.IsRefusal(refusal))
        {
            way = HashCode.Combine(2, Skeleton(refusal));
        }
        catch (Exception surprise)
        {
            way = HashCode.Combine(3, surprise.GetType(), surprise.StackTrace);
            finding = $"{surprise.GetType().Name}, documented: {parser.Refusals}\n{surprise}";
        }

        var allocated = Allocated(alone) - before;
        var bound = parser.Allocation.Fixed + ((long)parser.Allocation.PerByte * input.Length);
        return new(accepted, way, allocated, finding ?? (allocated > bound ? $"{allocated} bytes allocated for {input.Length} bytes of input; the bound is {bound}" : null));
    }

    private static long Allocated(bool alone) => alone ? GC.GetTotalAllocatedBytes(precise: true) : GC.GetAllocatedBytesForCurrentThread();

    private Outcome Watched(byte[] input)
    {
        watchdog.Begin(parser.Name, input);
        if (coverage is not null)
        {
            Coverage.Begin();
        }

        var outcome = Try(parser, input, alone);
        watchdog.End();
        corpus.Add(input, outcome.Way, coverage?.EndedSomewhereNew() == true);
        if (outcome.Finding is not null)
        {
            Note(input, outcome);
        }

        return outcome;
    }

    private void Note(byte[] input, Outcome outcome)
    {
        if (known.Add(outcome.Way))
        {
            findings.Add(string.Create(CultureInfo.InvariantCulture, $"{CaseFile.Write(failures, parser.Name, input)}\n{outcome.Finding}"));
        }
    }

    /// <summary>The message without what differs from input to input: numbers, and what is quoted.</summary>
    private static int Skeleton(Exception refusal)
    {
        var hash = new HashCode();
        hash.Add(refusal.GetType());
        var quoted = false;
        foreach (var letter in refusal.Message.AsSpan(0, Math.Min(refusal.Message.Length, 400)))
        {
            quoted ^= letter is '"' or '\'';
            if (!quoted && !char.IsAsciiHexDigit(letter))
            {
                hash.Add(letter);
            }
        }

        return hash.ToHashCode();
    }
}
