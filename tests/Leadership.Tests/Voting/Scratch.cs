namespace Mirror.Leadership.Tests.Voting;

/// <summary>A directory that is gone after the test.</summary>
internal sealed class Scratch : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("mirror-leadership-");

    public string At(string relative) => Path.Combine(directory.FullName, relative);

    public void Dispose() => directory.Delete(recursive: true);
}
