using System.Globalization;

namespace Mirror.Bench.Trees;

/// <summary>Where a tool works: the live folder it takes versions of, a target of its own, and room for what it needs beside.</summary>
internal sealed record TreePlace(string Live, string Target, string Beside);

/// <param name="Directory">Where the command runs; null: anywhere.</param>
internal sealed record TreeCommand(string[] Line, string? Directory = null, IReadOnlyDictionary<string, string>? Environment = null);

/// <summary>A tool that keeps versions of a whole tree (rsync: the newest), as its users run it.</summary>
internal sealed class TreeTool
{
    public required string Name { get; init; }

    public required string Program { get; init; }

    /// <summary>Takes the live folder as the version of this name.</summary>
    public required Func<TreePlace, string, TreeCommand> Save { get; init; }

    /// <summary>Gives back the first version when two were taken, given where to; null: it keeps none but the newest.</summary>
    public Func<TreePlace, string, TreeCommand>? RestoreFirst { get; init; }

    /// <summary>Gives back the second, which is the newest then.</summary>
    public required Func<TreePlace, string, TreeCommand> RestoreSecond { get; init; }

    /// <summary>What comes before its first version, outside the time.</summary>
    public Func<TreePlace, TreeCommand>? Prepare { get; init; }

    /// <summary>
    /// Beside a newest version that is a tree of plain files, which it would be without any history too, what is older lies in folders of the target whose names begin so. Null: the
    /// whole target is history. Empty: it keeps none.
    /// </summary>
    public string? History { get; init; }

    /// <summary>Its run says how long the pack was that leads from the version before to the new one.</summary>
    public bool SaysPackLength { get; init; }

    /// <summary>It names what it took by the second, and so needs a new one.</summary>
    public bool NeedsNewSecond { get; init; }

    public static IReadOnlyList<TreeTool> All(string mirror) =>
    [
        new()
        {
            Name = "mirror", Program = mirror, History = "history", SaysPackLength = true,
            Save = (place, _) => new([mirror, "save", place.Live, "--store", place.Target, "--json"]),
            RestoreFirst = (place, into) => new([mirror, "restore", "1.1", into, "--store", place.Target]),
            RestoreSecond = (place, into) => new([mirror, "restore", "1.2", into, "--store", place.Target]),
        },
        Rsync("rsync -a"),
        Rsync("rsync -a --fsync", "--fsync"),
        new()
        {
            Name = "rsync -a -b", Program = "rsync", History = "kept-",
            Save = (place, version) => new(["rsync", "-a", "--delete", "-b", $"--backup-dir={place.Target}/kept-{version}", place.Live + "/", place.Target + "/now/"]),
            RestoreSecond = (place, into) => new(["rsync", "-a", place.Target + "/now/", into + "/"]),
        },
        new()
        {
            Name = "restic", Program = "restic",
            Prepare = place => new(["restic", "init", "--repository-version", "2"], Environment: Restic(place)),
            Save = (place, version) => new(["restic", "backup", "-q", "--tag", version, "--host", "bench", "."], place.Live, Restic(place)),
            RestoreFirst = (place, into) => new(["restic", "restore", "-q", "latest", "--tag", "v1", "--target", into], Environment: Restic(place)),
            RestoreSecond = (place, into) => new(["restic", "restore", "-q", "latest", "--tag", "v2", "--target", into], Environment: Restic(place)),
        },
        new()
        {
            Name = "borg", Program = "borg",
            Prepare = place => new(["borg", "init", "-e", "none", place.Target], Environment: Borg(place)),
            Save = (place, version) => new(["borg", "create", "-C", "zstd,3", $"{place.Target}::{version}", "."], place.Live, Borg(place)),
            RestoreFirst = (place, into) => new(["borg", "extract", $"{place.Target}::v1"], into, Borg(place)),
            RestoreSecond = (place, into) => new(["borg", "extract", $"{place.Target}::v2"], into, Borg(place)),
        },
        new()
        {
            Name = "rdiff-backup", Program = "rdiff-backup", History = "rdiff-backup-data", NeedsNewSecond = true,
            Save = (place, _) => new(["rdiff-backup", "backup", place.Live, place.Target]),
            RestoreFirst = (place, into) => new(["rdiff-backup", "--force", "restore", "--at", "1B", place.Target, into]),
            RestoreSecond = (place, into) => new(["rdiff-backup", "--force", "restore", "--at", "now", place.Target, into]),
        },
        new()
        {
            Name = "duplicity", Program = "duplicity", NeedsNewSecond = true,
            Save = (place, version) => new(["duplicity", version == "v1" ? "full" : "incr", .. Duplicity(place), place.Live, $"file://{place.Target}"]),
            RestoreFirst = (place, into) => new(["duplicity", "restore", .. Duplicity(place), "--force", "-t", FirstTime(place), $"file://{place.Target}", into]),
            RestoreSecond = (place, into) => new(["duplicity", "restore", .. Duplicity(place), "--force", $"file://{place.Target}", into]),
        },
    ];

    private static TreeTool Rsync(string name, params string[] options) => new()
    {
        Name = name, Program = "rsync", History = "",
        Save = (place, _) => new(["rsync", "-a", "--delete", .. options, place.Live + "/", place.Target + "/"]),
        RestoreSecond = (place, into) => new(["rsync", "-a", place.Target + "/", into + "/"]),
    };

    public static Dictionary<string, string> Restic(TreePlace place) => new()
    {
        ["RESTIC_PASSWORD"] = "bench", ["RESTIC_REPOSITORY"] = place.Target, ["RESTIC_CACHE_DIR"] = Path.Combine(place.Beside, "cache"),
    };

    private static Dictionary<string, string> Borg(TreePlace place) => new()
    {
        ["BORG_BASE_DIR"] = Path.Combine(place.Beside, "base"), ["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] = "yes", ["BORG_RELOCATED_REPO_ACCESS_IS_OK"] = "yes",
    };

    private static string[] Duplicity(TreePlace place)
    {
        var temporary = Directory.CreateDirectory(Path.Combine(place.Beside, "temporary")).FullName;
        return ["--no-encryption", "--allow-source-mismatch", "--archive-dir", Path.Combine(place.Beside, "archive"), "--tempdir", temporary];
    }

    // A full backup is named duplicity-full.20240301T120000Z.….
    private static string FirstTime(TreePlace place)
    {
        var manifest = Directory.GetFiles(place.Target, "duplicity-full.*.manifest*").Select(Path.GetFileName).First()!;
        var time = DateTimeOffset.ParseExact(manifest.Split('.')[1], "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
        return time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
    }
}
