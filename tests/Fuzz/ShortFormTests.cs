using Mirror.Fuzz;

namespace Mirror.Fuzz.Tests;

/// <summary>The short form of the fuzzer: a few seconds for each build. The seed is the same every time, so what fails here fails everywhere.</summary>
public sealed class ShortFormTests
{
    private const int Seed = 20_260;
    private const long Cases = 1_500;

    /// <summary>For parsers that make each case durable: they take as long for these as the others for all.</summary>
    private const long CasesOnDisk = 400;

    private static readonly string[] onDisk = ["fill", "follow", "pack-part"];

    public static TheoryData<string> Names => [.. ParserList.ByName.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Nearly_right_bytes_are_read_or_refused_as_documented(string name)
    {
        var failures = Path.Combine(AppContext.BaseDirectory, "fuzz-failures");
        using var watchdog = new Watchdog(failures, TimeProvider.System);
        using var parser = ParserList.ByName[name]();

        var cases = onDisk.Contains(name) ? CasesOnDisk : Cases;
        var tally = new Fuzzer(parser, Campaign.SeedOf(Seed, name, 0), watchdog, failures, alone: true).Run(cases, CancellationToken.None);

        Assert.True(tally.Findings.Count == 0, $"seed {Seed}; see again with: dotnet run --project tests/Fuzz -- --case FILE\n" + string.Join("\n\n", tally.Findings));
        Assert.Equal(cases, tally.Cases);

        // Neither may be all there is: a fuzzer that is always refused at the first byte finds nothing, and so does one whose changes never matter.
        Assert.True(tally.Ways > 1, "every input ended alike");
    }

    [Fact]
    public void The_same_seed_gives_the_same_cases()
    {
        using var watchdog = new Watchdog(Path.GetTempPath(), TimeProvider.System);
        var tallies = Enumerable.Range(0, 2).Select(_ =>
        {
            using var parser = ParserList.ByName["entry"]();
            var tally = new Fuzzer(parser, 7, watchdog, Path.GetTempPath(), alone: true).Run(2_000, CancellationToken.None);
            return (tally.Accepted, tally.Ways);
        }).ToList();

        Assert.Equal(tallies[0], tallies[1]);
    }
}
