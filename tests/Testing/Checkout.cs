using System.Runtime.CompilerServices;

namespace Mirror.Testing;

/// <summary>Where this checkout is, for tests of the house itself and for scenarios that run the built program.</summary>
public static class Checkout
{
    public static string Root { get; } = Find();

    public static string Path(params string[] parts) => System.IO.Path.Combine([Root, .. parts]);

    private static string Find([CallerFilePath] string here = "")
    {
        var directory = new DirectoryInfo(System.IO.Path.GetDirectoryName(here)!);
        while (directory is not null && !File.Exists(System.IO.Path.Combine(directory.FullName, "Mirror.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException("Mirror.sln was not found above the tests.");
    }
}
