using System.CommandLine;
using System.Globalization;
using Mirror.Bench.Capturing;
using Mirror.Bench.Deltas;
using Mirror.Bench.Kernels;
using Mirror.Bench.Limits;
using Mirror.Bench.Measuring;
using Mirror.Bench.Proxying;
using Mirror.Bench.Scale;
using Mirror.Bench.Thinning;
using Mirror.Bench.Trees;
using Mirror.Bench.Workloads;

namespace Mirror.Bench;

/// <summary>What can be measured. Tables go to standard output, talk to standard error.</summary>
internal static class BenchCommands
{
    private static readonly string root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "..", ".."));

    private static readonly Option<string> work = new("--work")
    {
        Description = "Where workloads and runs lie, up to 12 GiB at full scale. In memory (/dev/shm) programs are compared and not disks.", DefaultValueFactory = _ => Path.Combine(root, "bench", ".work"), Recursive = true,
    };

    private static readonly Option<double> scale = new("--scale") { Description = "Size of the workloads; 1 is what the documentation shows, 0.01 a trial.", DefaultValueFactory = _ => 1, Recursive = true };
    private static readonly Option<bool> synthetic = new("--synthetic") { Description = "Make the dumps without PostgreSQL, even where it is installed.", Recursive = true };
    private static readonly Option<string[]> names = new("--workloads") { Description = "Only these, separated by commas.", Recursive = true, CustomParser = Words };
    private static readonly Option<string[]> only = new("--tools") { Description = "Only these tools, by the names that tables show, separated by commas.", Recursive = true, CustomParser = Words };
    private static readonly Option<int> runs = new("--runs") { Description = "Rounds; figures are medians over them.", DefaultValueFactory = _ => 3, Recursive = true };
    private static readonly Option<int> limit = new("--limit") { Description = "Seconds that one command may take.", DefaultValueFactory = _ => 600, Recursive = true };
    private static readonly Option<string> mirror = new("--mirror") { Description = "The program to measure.", DefaultValueFactory = _ => Path.Combine(root, ".build", "mirror", "mirror"), Recursive = true };

    private static TextWriter Talk => Console.Error;

    public static async Task<int> RunAsync(string[] arguments)
    {
        var peers = string.Join(", ", Peer.All.Select(peer => peer.Package));
        var commands = new RootCommand($"Measures Mirror beside the tools its users could take instead. Peers that are not installed are named and left out; Debian's packages: {peers}, and postgresql for real dumps.")
        {
            work, scale, synthetic, names, only, runs, limit, mirror,
            Described("workloads", "Make the workloads and say what they are.", MakeWorkloadsAsync),
            Described("delta", "Two-file tools: sign, diff, patch, the delta back.", DeltaAsync),
            Described("stores", "Tools that keep versions of a folder: first and second version, both back, nothing changed, a rename. One workload after another, each with its table; bigfile takes up to 16 GiB with all tools.", StoresAsync),
            Thinning(),
            Described("scale", "What a version costs when the tree is large, the history long, a file huge.", ScaleAsync),
            Described("capture", "From a file's change to a version, and a full scan that finds nothing, by the size of the site.", (parsed, cancellation) => new CaptureBench(Options(parsed), Console.Out, Talk).RunAsync(cancellation)),
            Described("dumps", "A database in a version: pg_dump into nothing beside a capture of it, by turns.", (parsed, cancellation) => new DumpBench(Options(parsed), Math.Max(1, parsed.GetValue(runs)), Console.Out, Talk).RunAsync(cancellation)),
            Proxy(),
            ProxyPart(),
            CaptureAgain(),
            Described("kernels", "The innermost loops and the operations on memory, in this process (BenchmarkDotNet).", KernelsAsync),
            Described("limits", "What this machine can copy, hash, write and compress at most.", LimitsAsync),
            Described("all", "All of these, one after another: docs/benchmarks.md.", AllAsync),
        };
        return await commands.Parse(arguments).InvokeAsync();
    }

    private static Command Thinning()
    {
        var versions = new Option<int>("--versions") { Description = "How many there are; half of them are dropped. 1,000 take twenty minutes to make.", DefaultValueFactory = _ => 200 };
        var command = Described("thinning", "Many versions of a small tree, of which every second one is dropped, beside restic's prune.", (parsed, cancellation) => ThinAsync(parsed, parsed.GetValue(versions), cancellation));
        command.Options.Add(versions);
        return command;
    }

    private static Command Proxy()
    {
        var held = new Option<int>("--held") { Description = "Instead: memory of the proxy while so many requests wait for a primary, and how they are answered." };
        var command = Described("proxy", "Small answers through Mirror's proxy beside YARP alone, nginx and HAProxy: requests a second and latency with 64 connections. wrk makes the load.", (parsed, cancellation) =>
            parsed.GetValue(held) is > 0 and var count
                ? new HeldBench(Options(parsed), count, Console.Out, Talk).RunAsync(cancellation)
                : new ProxyBench(Options(parsed), Math.Max(1, parsed.GetValue(runs)), Console.Out, Talk).RunAsync(cancellation));
        command.Options.Add(held);
        return command;
    }

    private static Command ProxyPart()
    {
        var part = new Argument<string>("part");
        var port = new Argument<int>("port");
        var app = new Argument<int>("app");
        var state = new Argument<string>("state");
        var command = Described(ProxyParts.Command, "A process of 'proxy'.", (parsed, cancellation) => ProxyParts.RunAsync(
            parsed.GetValue(part)!, parsed.GetValue(port), parsed.GetValue(app), parsed.GetValue(state)!, Console.In, Console.Out, cancellation));
        command.Arguments.Add(part);
        command.Arguments.Add(port);
        command.Arguments.Add(app);
        command.Arguments.Add(state);
        command.Hidden = true;
        return command;
    }

    private static Command CaptureAgain()
    {
        var folder = new Argument<string>("folder");
        var files = new Argument<int>("files");
        var command = Described(CaptureBench.Again, "The part of 'capture' that runs in a process of its own.",
            (parsed, cancellation) => CaptureBench.MeasureAgainAsync(parsed.GetValue(folder)!, parsed.GetValue(files), Console.Out, cancellation));
        command.Arguments.Add(folder);
        command.Arguments.Add(files);
        command.Hidden = true;
        return command;
    }

    private static Command Described(string name, string description, Func<ParseResult, CancellationToken, Task> run)
    {
        var command = new Command(name, description);
        command.SetAction(async (parsed, cancellation) =>
        {
            try
            {
                await run(parsed, cancellation);
                return 0;
            }
            catch (Exception failure) when (failure is BenchException or IOException or UnauthorizedAccessException)
            {
                Talk.WriteLine($"bench: {failure.Message}");
                return 1;
            }
        });
        return command;
    }

    private static WorkOptions Options(ParseResult parsed) => new(Path.GetFullPath(parsed.GetValue(work)!), parsed.GetValue(scale), parsed.GetValue(synthetic));

    private static IEnumerable<Workload> Chosen(ParseResult parsed, IEnumerable<Workload> among)
    {
        var wanted = parsed.GetValue(names) is { Length: > 0 } some ? [.. some.Select(Workload.Named)] : among.ToArray();
        return among.Where(wanted.Contains);
    }

    private static IReadOnlyList<T> Chosen<T>(ParseResult parsed, IReadOnlyList<T> tools, Func<T, string> name)
    {
        if (parsed.GetValue(only) is not { Length: > 0 } some)
        {
            return tools;
        }

        var unknown = some.Except(tools.Select(name)).FirstOrDefault();
        return unknown is null
            ? [.. tools.Where(tool => some.Contains(name(tool)))]
            : throw new BenchException($"There is no tool \"{unknown}\" here; there are {string.Join(", ", tools.Select(name))}.");
    }

    private static async Task MakeWorkloadsAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var table = new Table("workload", "v1", "v2", "v3", "change");
        foreach (var workload in Chosen(parsed, Workload.All))
        {
            cancellation.ThrowIfCancellationRequested();
            var folder = await workload.EnsureAsync(Options(parsed), Talk);
            string Size(int version) => version > folder.Versions
                ? Table.Nothing
                : string.Create(CultureInfo.InvariantCulture, $"{Files.CountBelow(folder.Version(version)):N0} files, {Files.LengthBelow(folder.Version(version)):N0} B");
            table.Add(workload.Name, Size(1), Size(2), Size(3), workload.Change);
        }

        Console.WriteLine(table);
    }

    private static async Task DeltaAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var options = Options(parsed);
        var tools = Chosen(parsed, DeltaTool.All(parsed.GetValue(mirror)!), tool => tool.Name);
        var bench = new DeltaBench(options, tools, Math.Max(1, parsed.GetValue(runs)), TimeSpan.FromSeconds(parsed.GetValue(limit)), Talk);
        foreach (var workload in Chosen(parsed, Workload.Files))
        {
            var results = await bench.RunAsync(workload, cancellation);
            var (oldLength, newLength) = (new FileInfo(workload.FileIn(options, 1)).Length, new FileInfo(workload.FileIn(options, 2)).Length);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"## {workload.Name}: {workload.Change}\n\nv1 {oldLength:N0} B, v2 {newLength:N0} B.\n"));
            Console.WriteLine(results.ToTable(oldLength, newLength));
            foreach (var note in results.Notes)
            {
                Console.WriteLine($"- {note}");
            }

            SayNoise(results.Noise());
        }
    }

    private static async Task StoresAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var tools = Chosen(parsed, TreeTool.All(parsed.GetValue(mirror)!), tool => tool.Name);
        var bench = new TreeBench(Options(parsed), tools, Math.Max(1, parsed.GetValue(runs)), TimeSpan.FromSeconds(parsed.GetValue(limit)), Talk);
        foreach (var workload in Chosen(parsed, Workload.OfStores))
        {
            var results = await bench.RunAsync(workload, cancellation);
            Console.WriteLine($"## {workload.Name} in stores: {workload.Change}\n\n{results.ToTable()}");
            foreach (var note in results.Notes)
            {
                Console.WriteLine($"- {note}");
            }

            SayNoise(results.Noise());
        }
    }

    private static async Task ThinAsync(ParseResult parsed, int versions, CancellationToken cancellation)
    {
        var tools = Chosen(parsed, ThinningTool.All(parsed.GetValue(mirror)!), tool => tool.Name);
        if (versions < 6 || versions % 2 == 1 || tools.Count == 0)
        {
            throw new BenchException("Thinning takes an even number of versions, six at least, and a tool.");
        }

        var table = await new ThinningBench(Options(parsed), tools, versions, TimeSpan.FromSeconds(parsed.GetValue(limit)), Talk).RunAsync(cancellation);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"## thinning: {ChangingTree.Files:N0} small files; {ChangingTree.Edited} edited, {ChangingTree.Added} added, {ChangingTree.Removed} removed in each version\n\n{table}"));
    }

    private static async Task ScaleAsync(ParseResult parsed, CancellationToken cancellation)
    {
        Console.WriteLine("## scale\n");
        await new ScaleBench(Options(parsed), Console.Out, Talk).RunAsync(cancellation);
    }

    private static Task KernelsAsync(ParseResult parsed, CancellationToken cancellation)
    {
        Console.WriteLine($"## kernels\n\n{KernelBench.Run(Options(parsed), Talk)}");
        return Task.CompletedTask;
    }

    private static Task LimitsAsync(ParseResult parsed, CancellationToken cancellation)
    {
        Console.WriteLine($"## limits: what one core of this machine can do\n\n{MachineLimits.Processor()}.\n\n{MachineLimits.Probe(Options(parsed))}");
        return Task.CompletedTask;
    }

    private static async Task AllAsync(ParseResult parsed, CancellationToken cancellation)
    {
        Console.WriteLine(BenchPage.Head(Options(parsed), parsed.GetValue(runs), await Peer.VersionsAsync()));
        await LimitsAsync(parsed, cancellation);
        await DeltaAsync(parsed, cancellation);
        await StoresAsync(parsed, cancellation);
        await KernelsAsync(parsed, cancellation);
    }

    private static void SayNoise((double Median, double Most) noise) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\nNoise: the rest of the machine used {noise.Median:F2} cores at the median of these steps, {noise.Most:F2} at most.\n"));

    private static string[] Words(System.CommandLine.Parsing.ArgumentResult found) =>
        [.. found.Tokens.SelectMany(token => token.Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
}
