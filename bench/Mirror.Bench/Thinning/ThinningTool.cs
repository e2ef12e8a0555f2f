using System.Globalization;
using Mirror.Bench.Trees;

namespace Mirror.Bench.Thinning;

/// <summary>A tool that can give up versions between others and take less room then, as its users run it.</summary>
/// <param name="Save">Takes the live folder as the version of this number; the flag says that it will be kept.</param>
/// <param name="Forget">Gives up these versions, room included.</param>
/// <param name="Restore">Gives back a version into a folder.</param>
internal sealed record ThinningTool(
    string Name, string Program, Func<TreePlace, TreeCommand>? Prepare,
    Func<TreePlace, int, bool, TreeCommand> Save, Func<TreePlace, IEnumerable<int>, TreeCommand> Forget, Func<TreePlace, int, string, TreeCommand> Restore)
{
    public static IReadOnlyList<ThinningTool> All(string mirror) =>
    [
        new(
            "mirror", mirror, null,
            (place, _, _) => new([mirror, "save", place.Live, "--store", place.Target]),
            (place, versions) => new([mirror, "forget", .. versions.Select(IdOf), "--store", place.Target, "--yes"]),
            (place, version, into) => new([mirror, "restore", IdOf(version), into, "--store", place.Target])),
        new(
            "restic", "restic",
            place => new(["restic", "init", "--repository-version", "2"], Environment: TreeTool.Restic(place)),
            (place, version, kept) => new(["restic", "backup", "-q", "--host", "bench", "--tag", TagOf(version), .. kept ? ["--tag", "kept"] : Array.Empty<string>(), "."], place.Live, TreeTool.Restic(place)),
            (place, _) => new(["restic", "forget", "-q", "--group-by", "host", "--keep-tag", "kept", "--prune"], Environment: TreeTool.Restic(place)),
            (place, version, into) => new(["restic", "restore", "-q", "latest", "--tag", TagOf(version), "--target", into], Environment: TreeTool.Restic(place))),
    ];

    private static string IdOf(int version) => string.Create(CultureInfo.InvariantCulture, $"1.{version}");

    private static string TagOf(int version) => string.Create(CultureInfo.InvariantCulture, $"v{version}");
}
