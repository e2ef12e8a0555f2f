using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Node.Apps;

/// <summary>
/// The commands of a database that only its owner knows how to dump and load. They learn where they are by placeholders in their arguments and by their environment: MIRROR_SITE, MIRROR_DATABASE,
/// MIRROR_ROOT (the site's files), MIRROR_SLOT (<c>a</c> or <c>b</c>: a replica's private one; <c>live</c>: the original) and MIRROR_DUMP (file or directory).
/// </summary>
public static class DatabaseCommand
{
    private const string Directory = "{directory}";

    /// <summary>The dump is a directory, not what the command prints.</summary>
    public static bool FillsDirectory(DatabaseConfig database) => database.Command.Any(argument => argument.Contains(Directory, StringComparison.Ordinal));

    public static Tool Dump(string site, DatabaseConfig database, string tree, string slot, string directory) =>
        Make(database.Command, site, database, tree, slot, directory, (Directory, directory));

    /// <summary>It has the dump at <c>{dump}</c>, and on its standard input when that is a file.</summary>
    public static Tool Load(string site, DatabaseConfig database, string tree, string slot, string dump) =>
        Make(database.Load, site, database, tree, slot, dump, ("{dump}", dump)) with
        {
            Input = File.Exists(dump) ? (input, cancellation) => FeedAsync(dump, input, cancellation) : null,
            Output = static (output, cancellation) => output.CopyToAsync(Stream.Null, cancellation),
        };

    private static async Task FeedAsync(string dump, Stream input, CancellationToken cancellation)
    {
        await using var content = File.OpenRead(dump);
        await content.CopyToAsync(input, cancellation);
    }

    private static Tool Make(IReadOnlyList<string> command, string site, DatabaseConfig database, string tree, string slot, string dump, (string Placeholder, string Value) own)
    {
        string Fill(string text) => text.Replace(own.Placeholder, own.Value, StringComparison.Ordinal)
            .Replace("{root}", tree, StringComparison.Ordinal).Replace("{slot}", slot, StringComparison.Ordinal);
        return new Tool(command[0], [.. command.Skip(1).Select(Fill)])
        {
            Within = database.Within,
            WorkingDirectory = tree,
            Environment = new Dictionary<string, string>
            {
                ["MIRROR_SITE"] = site, ["MIRROR_DATABASE"] = database.Name, ["MIRROR_ROOT"] = tree, ["MIRROR_SLOT"] = slot, ["MIRROR_DUMP"] = dump,
            },
        };
    }
}
