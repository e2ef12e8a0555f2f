namespace Wiki.Tests;

/// <summary>A scratch directory for a wiki's files.</summary>
public abstract class WikiTest : IDisposable
{
    protected string Root { get; } = Directory.CreateTempSubdirectory("wiki-test-").FullName;

    public void Dispose()
    {
        Directory.Delete(Root, recursive: true);
        GC.SuppressFinalize(this);
    }

    protected string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);
}
