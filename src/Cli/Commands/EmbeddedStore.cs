using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands;

/// <summary>The embedded form: a plain directory as store, no daemon and no cluster. The same store code as in a node.</summary>
internal static class EmbeddedStore
{
    /// <summary>Site name inside a store that belongs to no cluster.</summary>
    public const string SiteName = "saved";

    public static Option<string?> Option() => new("--store") { Description = "A store directory made by `mirror save`: works without a running node." };

    public static Task<VersionStore> OpenAsync(string directory, bool create, CancellationToken cancellation)
    {
        if (!create && (!Directory.Exists(directory) || !Directory.EnumerateFileSystemEntries(directory).Any()))
        {
            throw new CommandException($"there is no store in {directory}. `mirror save DIR --store {directory}` makes one.");
        }

        return VersionStore.OpenAsync(Path.GetFullPath(directory), SiteName, TimeProvider.System, cancellation);
    }
}
