namespace Mirror.Fuzz;

/// <summary>A file for parsers that read one, in memory where there is such a place, gone with its parser.</summary>
internal sealed class ScratchFile : IDisposable
{
    private const string Memory = "/dev/shm";
    private readonly string directory = System.IO.Directory.CreateDirectory(
        System.IO.Path.Combine(System.IO.Directory.Exists(Memory) ? Memory : System.IO.Path.GetTempPath(), $"mirror-fuzz-{Guid.NewGuid():N}")).FullName;

    public ScratchFile(string name = "input") => Path = System.IO.Path.Combine(directory, name);

    public string Directory => directory;

    public string Path { get; }

    public void Write(byte[] bytes) => File.WriteAllBytes(Path, bytes);

    public void Dispose() => System.IO.Directory.Delete(directory, recursive: true);
}
