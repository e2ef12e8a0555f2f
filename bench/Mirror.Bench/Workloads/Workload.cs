namespace Mirror.Bench.Workloads;

/// <summary>What is measured on, by name; made under a work directory when it is not there yet.</summary>
/// <param name="Renamed">The file or folder that has another name in the last version.</param>
internal sealed record Workload(string Name, string? FileName, int Versions, string Change, (string From, string To)? Renamed = null)
{
    public static readonly IReadOnlyList<Workload> All =
    [
        new("bigfile", BigFile.FileName, 2, "1 GiB, half random, half four bits a byte: 200 overwrites of 64 B, 50 insertions of 100 B, 20 deletions of 1 KiB, 8 MiB appended"),
        new("dump", DumpKind.FileName, 2, "a database dump, rows padded with blanks, 23,000 transactions: a changed row every 19 KB"),
        new("dumphex", DumpKind.FileName, 2, "the same with rows padded with hex digits, 43,000 transactions"),
        new("log", LogFile.FileName, 3, "a 512 MiB log, 16 MiB appended; then rotated", (LogFile.FileName, LogFile.RotatedName)),
        new("random", RandomFiles.FileName, 2, "1 GiB of random bytes, and another: nothing matches"),
        new("tree", null, 3, "48,000 small files: 5,400 modified, 3,300 added, 580 removed; then a folder of 10,400 renamed", (SourceTree.RenamedFrom, SourceTree.RenamedTo)),
    ];

    /// <summary>Those that are one file, on which two-file tools work.</summary>
    public static IEnumerable<Workload> Files => All.Where(workload => workload.FileName is not null);

    /// <summary>Those that versions are kept of, the tree first.</summary>
    public static IEnumerable<Workload> OfStores => new[] { "tree", "dump", "dumphex", "bigfile", "log" }.Select(Named);

    public static Workload Named(string name) =>
        All.FirstOrDefault(workload => workload.Name == name)
        ?? throw new BenchException($"There is no workload \"{name}\"; there are {string.Join(", ", All.Select(workload => workload.Name))}.");

    public VersionFolder In(WorkOptions options) => new(options.Work, Name);

    public string FileIn(WorkOptions options, int version) => In(options).File(version, FileName!);

    /// <summary>Makes the workload unless one of this scale is there.</summary>
    public async Task<VersionFolder> EnsureAsync(WorkOptions options, TextWriter talk)
    {
        var folder = In(options);
        var made = Path.Combine(folder.Path, "made");
        var how = $"{Name} scale {options.Scale:0.######}{(options.Synthetic ? " synthetic" : "")}";
        if (File.Exists(made) && await File.ReadAllTextAsync(made) == how)
        {
            return folder;
        }

        talk.WriteLine($"making {Name} in {folder.Path}");
        await folder.MakeAsync(Versions, versions => MakeAsync(versions, options));
        if (FileName is not null)
        {
            foreach (var (version, time) in Enumerable.Range(1, Versions).Zip(VersionFolder.Times))
            {
                foreach (var file in Directory.GetFiles(folder.Version(version)))
                {
                    // A renamed log keeps its time.
                    File.SetLastWriteTimeUtc(file, Path.GetFileName(file) == LogFile.RotatedName ? VersionFolder.Times[version - 2] : time);
                }
            }
        }

        await File.WriteAllTextAsync(made, how);
        return folder;
    }

    private Task MakeAsync(string[] versions, WorkOptions options)
    {
        switch (Name)
        {
            case "dump":
                return MakeDumpAsync(versions, DumpKind.Blanks, options);
            case "dumphex":
                return MakeDumpAsync(versions, DumpKind.Hex, options);
            case "bigfile":
                BigFile.Make(versions, options.Scale);
                break;
            case "log":
                LogFile.Make(versions, options.Scale);
                break;
            case "random":
                RandomFiles.Make(versions, options.Scale);
                break;
            default:
                SourceTree.Make(versions, options.Scale);
                break;
        }

        return Task.CompletedTask;
    }

    private static Task MakeDumpAsync(string[] versions, DumpKind kind, WorkOptions options)
    {
        if (!options.Synthetic && PostgresServer.Programs() is { } programs)
        {
            return PostgresDump.MakeAsync(programs, options.Work, versions, kind, options.Scale);
        }

        SyntheticDump.Make(versions, kind, options.Scale);
        return Task.CompletedTask;
    }
}
