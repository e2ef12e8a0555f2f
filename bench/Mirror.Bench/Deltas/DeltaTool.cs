using System.Globalization;

namespace Mirror.Bench.Deltas;

internal enum DeltaStep
{
    Sign,
    Diff,
    Patch,

    /// <summary>Patch, and the delta back: for most tools three commands or two, for Mirror one.</summary>
    PatchAndReverse,

    /// <summary>The new version at the place of the old one, all steps; for rsync one command.</summary>
    Whole,

    /// <summary>The old version from the new one and the delta back.</summary>
    Restore,
}

/// <summary>Two versions of a file and where a tool's products go.</summary>
internal sealed record DeltaFiles(string Old, string New, string Scratch)
{
    public string Signature => Path.Combine(Scratch, "signature");

    public string Delta => Path.Combine(Scratch, "delta");

    public string Result => Path.Combine(Scratch, "result");

    public string Reverse => Path.Combine(Scratch, "reverse");

    public string NewSignature => Path.Combine(Scratch, "new-signature");

    /// <summary>From new to old.</summary>
    public DeltaFiles Turned() => this with { Old = New, New = Old };
}

/// <param name="Product">The file that the command makes; absent before it.</param>
/// <param name="OnCopyOf">The product starts as a copy of this file, made outside the time.</param>
internal sealed record DeltaCommand(DeltaStep Step, string Product, string[] Line, string? OnCopyOf = null);

/// <summary>A tool that makes a delta of two files, as its users run it.</summary>
/// <param name="MakesReverse">Its last command writes the delta back too; for others the tool is run the other way round.</param>
internal sealed record DeltaTool(string Name, string Program, Func<DeltaFiles, DeltaCommand[]> Commands, bool MakesReverse = false)
{
    public static IReadOnlyList<DeltaTool> All(string mirror) =>
    [
        new("mirror", mirror, files => Mirror(mirror, files, []), MakesReverse: true),
        new("mirror --basis", mirror, files => Mirror(mirror, files, ["--basis", files.Old]), MakesReverse: true),
        new("mirror --quick", mirror, files => Mirror(mirror, files, ["--quick"]), MakesReverse: true),
        new("mirror --quick --basis", mirror, files => Mirror(mirror, files, ["--quick", "--basis", files.Old]), MakesReverse: true),
        new("rdiff", "rdiff", files => Rdiff(files, [])),
        new("rdiff -b 2048", "rdiff", files => Rdiff(files, ["-b", "2048"])),
        new("xdelta3 -1", "xdelta3", Xdelta),
        new("zstd -1 --patch-from", "zstd", Zstd),
        new("rsync", "rsync", Rsync),
    ];

    // With the new file's signature, which falls out of the same reading: the next diff needs it.
    private static DeltaCommand[] Mirror(string mirror, DeltaFiles files, string[] basis) =>
    [
        new(DeltaStep.Sign, files.Signature, [mirror, "delta", "sign", files.Old, files.Signature]),
        new(DeltaStep.Diff, files.Delta, [mirror, "delta", "diff", files.Signature, files.New, files.Delta, "--new-sig", files.NewSignature, .. basis]),
        new(DeltaStep.Patch, files.Result, [mirror, "delta", "patch", files.Old, files.Delta, files.Result]),
        new(DeltaStep.PatchAndReverse, files.Result, [mirror, "delta", "patch", files.Old, files.Delta, files.Result, "--reverse", files.Reverse]),
    ];

    private static DeltaCommand[] Rdiff(DeltaFiles files, string[] options) =>
    [
        new(DeltaStep.Sign, files.Signature, ["rdiff", .. options, "signature", files.Old, files.Signature]),
        new(DeltaStep.Diff, files.Delta, ["rdiff", "delta", files.Signature, files.New, files.Delta]),
        new(DeltaStep.Patch, files.Result, ["rdiff", "patch", files.Old, files.Delta, files.Result]),
    ];

    // With a window as large as the file it finds what moved far.
    private static DeltaCommand[] Xdelta(DeltaFiles files)
    {
        var window = Math.Max(1 << 20, Math.Max(new FileInfo(files.Old).Length, new FileInfo(files.New).Length) + (1 << 20)).ToString(CultureInfo.InvariantCulture);
        return
        [
            new(DeltaStep.Diff, files.Delta, ["xdelta3", "-e", "-1", "-B", window, "-s", files.Old, files.New, files.Delta]),
            new(DeltaStep.Patch, files.Result, ["xdelta3", "-d", "-B", window, "-s", files.Old, files.Delta, files.Result]),
        ];
    }

    private static DeltaCommand[] Zstd(DeltaFiles files) =>
    [
        new(DeltaStep.Diff, files.Delta, ["zstd", "-q", "-1", "--long=31", $"--patch-from={files.Old}", files.New, "-o", files.Delta]),
        new(DeltaStep.Patch, files.Result, ["zstd", "-q", "-d", "--long=31", $"--patch-from={files.Old}", files.Delta, "-o", files.Result]),
    ];

    // Between two paths of one machine it would copy whole files; this is what it does between two machines, over a pipe.
    private static DeltaCommand[] Rsync(DeltaFiles files) =>
    [
        new(DeltaStep.Whole, files.Result, ["rsync", "--times", "--no-whole-file", files.New, files.Result], OnCopyOf: files.Old),
    ];
}
