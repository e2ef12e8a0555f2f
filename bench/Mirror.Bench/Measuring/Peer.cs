using CliWrap;
using CliWrap.Buffered;

namespace Mirror.Bench.Measuring;

/// <summary>A program that is measured, and the Debian package that brings it.</summary>
/// <param name="VersionOption">Makes it say its version in its first line.</param>
internal sealed record Peer(string Program, string Package, string VersionOption = "--version")
{
    public static readonly IReadOnlyList<Peer> All =
    [
        new("rdiff", "rdiff"),
        new("xdelta3", "xdelta3", "-V"),
        new("zstd", "zstd"),
        new("rsync", "rsync"),
        new("restic", "restic", "version"),
        new("borg", "borgbackup"),
        new("rdiff-backup", "rdiff-backup"),
        new("duplicity", "duplicity"),
        new("wrk", "wrk", "-v"),
        new("nginx", "nginx-light", "-v"),
        new("haproxy", "haproxy", "-v"),
    ];

    /// <summary>The program's file; null: it is not installed.</summary>
    public static string? Find(string program) =>
        program.Contains('/')
            ? File.Exists(program) ? program : null
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    /// <summary>The installed peers, each with its version as it says it.</summary>
    public static async Task<IReadOnlyList<string>> VersionsAsync()
    {
        var versions = new List<string>();
        foreach (var peer in All.Where(peer => Find(peer.Program) is not null))
        {
            var said = await CliWrap.Cli.Wrap(peer.Program).WithArguments(peer.VersionOption).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
            var version = (said.StandardOutput + said.StandardError).Split([' ', '\n', ',', '(', ')'], StringSplitOptions.RemoveEmptyEntries)
                .Select(word => word.TrimStart('v')).FirstOrDefault(word => word.Contains('.') && char.IsAsciiDigit(word[0]));
            versions.Add($"{peer.Program} {version ?? "of unknown version"}");
        }

        return versions;
    }

    /// <summary>The sentence for a program that is not there.</summary>
    public static string Absence(string program) =>
        All.FirstOrDefault(peer => peer.Program == program) is { } known
            ? $"{program} is absent (Debian package {known.Package})"
            : $"{program} is absent{(program.Contains('/') ? " (./build.sh publish makes it)" : "")}";
}
