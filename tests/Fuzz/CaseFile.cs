using System.Security.Cryptography;

namespace Mirror.Fuzz;

/// <summary>An input in a file, whose name begins with the parser's: enough to see it again.</summary>
internal static class CaseFile
{
    private const string Suffix = ".case";

    public static string Write(string directory, string parser, byte[] input)
    {
        Directory.CreateDirectory(directory);
        var path = Path.Combine(directory, $"{parser}.{Convert.ToHexStringLower(SHA256.HashData(input).AsSpan(0, 6))}{Suffix}");
        File.WriteAllBytes(path, input);
        return path;
    }

    public static string ParserOf(string path) => Path.GetFileName(path).Split('.')[0];
}
