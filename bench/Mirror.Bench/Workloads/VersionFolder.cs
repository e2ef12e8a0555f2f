using System.Globalization;

namespace Mirror.Bench.Workloads;

/// <summary>A workload's place: one folder a version (v1, v2, …), each a whole tree. It is made under another name and moved when complete, so what is there can be used again.</summary>
internal sealed class VersionFolder(string work, string name)
{
    /// <summary>What is unchanged from one version to the next keeps its time, as on a live site.</summary>
    public static readonly DateTime[] Times = [.. Enumerable.Range(0, 3).Select(day => new DateTime(2024, 3, 1, 12, 0, 0, DateTimeKind.Utc).AddDays(day))];

    public string Name => name;

    public string Path { get; } = System.IO.Path.Combine(work, "data", name);

    public bool Exists => Directory.Exists(Path);

    public int Versions => Directory.Exists(Path) ? Directory.GetDirectories(Path, "v?").Length : 0;

    public string Version(int number) => System.IO.Path.Combine(Path, string.Create(CultureInfo.InvariantCulture, $"v{number}"));

    /// <summary>The file of a version of a workload that is one file.</summary>
    public string File(int version, string file) => System.IO.Path.Combine(Version(version), file);

    /// <param name="make">Given the folder of each version, empty.</param>
    public async Task MakeAsync(int versions, Func<string[], Task> make)
    {
        var growing = Path + ".growing";
        Remove(growing);
        Remove(Path);
        var folders = Enumerable.Range(1, versions).Select(number => System.IO.Path.Combine(growing, string.Create(CultureInfo.InvariantCulture, $"v{number}"))).ToArray();
        foreach (var folder in folders)
        {
            Directory.CreateDirectory(folder);
        }

        await make(folders);
        Directory.Move(growing, Path);
    }

    private static void Remove(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
