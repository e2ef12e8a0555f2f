using System.Security.Cryptography;

namespace Mirror.Cli.Demo;

/// <summary>Compares directories by reading every regular file, independently of the store that wrote them.</summary>
internal static class DemoFiles
{
    private static readonly EnumerationOptions everything = new() { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false };

    public static Dictionary<string, string> HashesOf(string directory)
    {
        var hashes = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var file in Directory.EnumerateFiles(directory, "*", everything))
        {
            if (File.ResolveLinkTarget(file, returnFinalTarget: false) is null)
            {
                using var content = File.OpenRead(file);
                hashes[Path.GetRelativePath(directory, file)] = Convert.ToHexStringLower(SHA256.HashData(content));
            }
        }

        return hashes;
    }

    /// <summary>How many files are missing, too many, or different.</summary>
    public static int Differences(string directory, Dictionary<string, string> expected)
    {
        var found = HashesOf(directory);
        return expected.Count(file => found.GetValueOrDefault(file.Key) != file.Value) + found.Keys.Count(name => !expected.ContainsKey(name));
    }
}
