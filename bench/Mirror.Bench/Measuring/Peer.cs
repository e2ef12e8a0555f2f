namespace Mirror.Bench.Measuring;

/// <summary>A program that is measured, and the Debian package that brings it.</summary>
internal sealed record Peer(string Program, string Package)
{
    public static readonly IReadOnlyList<Peer> All =
    [
        new("rdiff", "rdiff"),
        new("xdelta3", "xdelta3"),
        new("zstd", "zstd"),
        new("rsync", "rsync"),
        new("restic", "restic"),
        new("borg", "borgbackup"),
        new("rdiff-backup", "rdiff-backup"),
        new("duplicity", "duplicity"),
    ];

    /// <summary>The program's file; null: it is not installed.</summary>
    public static string? Find(string program) =>
        program.Contains('/')
            ? File.Exists(program) ? program : null
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    /// <summary>The sentence for a program that is not there.</summary>
    public static string Absence(string program) =>
        All.FirstOrDefault(peer => peer.Program == program) is { } known
            ? $"{program} is absent (Debian package {known.Package})"
            : $"{program} is absent{(program.Contains('/') ? " (./build.sh publish makes it)" : "")}";
}
