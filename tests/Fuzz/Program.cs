using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Mirror.Fuzz;

// The long form: `dotnet run -c Release --project tests/Fuzz -- --cases 10000000`, guided by coverage: `-- --guided --cases 1000000`, or one case again: `-- --case FILE`.

if (Coverage.IsOn)
{
    Coverage.Prepare();
}

var cases = new Option<long>("--cases") { Description = "Cases in all, shared evenly by the parsers.", DefaultValueFactory = _ => 1_000_000 };
var only = new Option<string[]>("--parser") { Description = "Only this parser; may be given several times." };
only.AcceptOnlyFromAmong([.. ParserList.ByName.Keys]);
var seed = new Option<int>("--seed") { Description = "The same seed gives the same cases.", DefaultValueFactory = _ => 1 };
var threads = new Option<int>("--threads") { Description = "Threads.", DefaultValueFactory = _ => Environment.ProcessorCount };
var failures = new Option<string>("--out") { Description = "Where failing cases go.", DefaultValueFactory = _ => "fuzz-failures" };
var again = new Option<FileInfo>("--case") { Description = "Reads one failing case again, and nothing else." };
var guided = new Option<bool>("--guided") { Description = "Instruments the assemblies and goes where new branches are; one process a thread." };
var root = new RootCommand("Feeds every parser of Mirror with nearly right bytes.") { cases, only, seed, threads, failures, again, guided };
root.SetAction(parsed => parsed.GetValue(again) is { } file ? Repeat(file) : Run(parsed));
return root.Parse(args).Invoke();

int Run(ParseResult parsed)
{
    var parsers = parsed.GetValue(only) is { Length: > 0 } named ? named : [.. ParserList.ByName.Keys];
    if (parsed.GetValue(guided))
    {
        return Guided.Run(parsers, parsed.GetValue(cases), parsed.GetValue(seed), parsed.GetValue(threads), parsed.GetValue(failures)!);
    }

    var campaign = new Campaign(parsers, parsed.GetValue(seed), parsed.GetValue(threads), parsed.GetValue(failures)!, TimeProvider.System);
    Console.WriteLine($"seed {parsed.GetValue(seed)}, {parsers.Length} parsers");
    using var stop = new CancellationTokenSource();
    // What was seen until then is said all the same.
    using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
    using var ended = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
    var began = TimeProvider.System.GetTimestamp();
    var tallies = campaign.Run(parsed.GetValue(cases), Report, stop.Token);
    Console.WriteLine();
    Console.WriteLine($"{"parser",-14} {"cases",12} {"accepted",12} {"ways",6} {"corpus",6} {"most bytes",12} {"findings",9}");
    foreach (var tally in tallies)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{tally.Parser,-14} {tally.Cases,12:N0} {tally.Accepted,12:N0} {tally.Ways,6} {tally.Corpus,6} {tally.MostAllocated,12:N0} {tally.Findings.Count,9}"));
    }

    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"{tallies.Sum(static tally => tally.Cases):N0} cases in {TimeProvider.System.GetElapsedTime(began).TotalSeconds:N0} s, {tallies.Sum(static tally => tally.Findings.Count)} findings"));
    return tallies.All(static tally => tally.Findings.Count == 0) ? 0 : 1;

    void Stop(PosixSignalContext signal)
    {
        signal.Cancel = true;
        stop.Cancel();
    }
}

static void Report(Tally tally)
{
    Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{tally.Parser}: {tally.Cases:N0} cases, {tally.Findings.Count} findings"));
    foreach (var finding in tally.Findings)
    {
        Console.WriteLine($"\nFINDING in {tally.Parser}: {finding}");
    }
}

static int Repeat(FileInfo file)
{
    using var parser = ParserList.ByName[CaseFile.ParserOf(file.FullName)]();
    var input = File.ReadAllBytes(file.FullName);
    _ = Fuzzer.Try(parser, parser.Seeds[0], alone: true);
    var outcome = Fuzzer.Try(parser, input, alone: true);
    Console.WriteLine($"{parser.Name}, {input.Length} bytes: {outcome.Finding ?? (outcome.Accepted ? "accepted" : "refused as documented")} ({outcome.Allocated} bytes allocated)");
    return outcome.Finding is null ? 0 : 1;
}
