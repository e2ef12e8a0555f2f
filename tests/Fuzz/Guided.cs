using System.Diagnostics;
using System.Globalization;

namespace Mirror.Fuzz;

/// <summary>
/// A run guided by coverage: copies of the program's assemblies are instrumented (every branch counts itself), and processes on these copies search on from whatever input
/// reached a branch that was not reached before.
/// </summary>
internal static class Guided
{
    public const string Marker = "MIRROR_FUZZ_GUIDED";

    private static readonly string[] instrumented =
        ["Mirror.Delta", "Mirror.Store", "Mirror.Node", "Mirror.Leadership", "Mirror.Primary", "Mirror.Replica", "Mirror.Proxy", "ZstdSharp", "YamlDotNet"];

    public static int Run(IReadOnlyList<string> parsers, long cases, int seed, int processes, string failures)
    {
        var copy = Directory.CreateTempSubdirectory("mirror-fuzz-guided-");
        try
        {
            foreach (var file in Directory.GetFiles(AppContext.BaseDirectory))
            {
                File.Copy(file, Path.Combine(copy.FullName, Path.GetFileName(file)));
            }

            foreach (var name in instrumented)
            {
                _ = SharpFuzz.Fuzzer.Instrument(Path.Combine(copy.FullName, name + ".dll"), static _ => true, SharpFuzz.Options.Value);
            }

            var share = (cases + parsers.Count - 1) / parsers.Count;
            var running = Enumerable.Range(0, Math.Min(processes, parsers.Count)).Select(number =>
            {
                string[] mine = [.. parsers.Where((_, at) => at % processes == number)];
                string[] arguments =
                [
                    Path.Combine(copy.FullName, "Mirror.Fuzz.dll"), "--cases", Text(share * mine.Length), "--seed", Text(seed), "--threads", "1", "--out", Path.GetFullPath(failures),
                    .. mine.SelectMany(static parser => (string[])["--parser", parser]),
                ];
                var start = new ProcessStartInfo(Environment.ProcessPath!, Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal) ? arguments : arguments[1..])
                {
                    Environment = { [Marker] = "1" },
                };
                return Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} was not started.");
            }).ToList();
            var code = 0;
            foreach (var process in running)
            {
                using (process)
                {
                    process.WaitForExit();
                    code = Math.Max(code, process.ExitCode);
                }
            }

            return code;
        }
        finally
        {
            copy.Delete(recursive: true);
        }
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
