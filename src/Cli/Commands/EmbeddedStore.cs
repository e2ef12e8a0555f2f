using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands;

/// <summary>The embedded form: a plain directory as store, no daemon and no cluster. The same store code as in a node.</summary>
internal static class EmbeddedStore
{
    /// <summary>Site name inside a store that belongs to no cluster.</summary>
    public const string SiteName = "saved";

    private const string OptionName = "--store";

    /// <summary>How long to wait before asking again: the kernel tells nobody that another process gave up a lock.</summary>
    private static readonly TimeSpan betweenTries = TimeSpan.FromMilliseconds(100);

    private static readonly Option<int> wait = new("--wait")
    {
        Description = "Wait up to so many seconds while another process has the store, instead of giving up at once.", HelpName = "seconds",
    };

    public static Option<string?> Option() => new(OptionName) { Description = "A store directory made by `mirror save`: works without a running node." };

    /// <summary>Whatever takes a store can wait for it.</summary>
    public static void AddWait(Command command)
    {
        if (command.Options.Any(option => option.Name == OptionName))
        {
            command.Options.Add(wait);
        }
    }

    /// <summary>To change it.</summary>
    public static Task<VersionStore> OpenAsync(ParseResult parsed, Shown shown, string directory, bool create, CancellationToken cancellation)
    {
        RefuseNothing(directory, create);
        return WaitingAsync(
            parsed.GetValue(wait),
            () => VersionStore.OpenAsync(Path.GetFullPath(directory), SiteName, TimeProvider.System, cancellation, progress: new ShownProgress(shown)), cancellation);
    }

    /// <summary>Only to look at it: beside others who do, and where nothing can be written.</summary>
    public static Task<VersionStore> OpenToReadAsync(ParseResult parsed, string directory, CancellationToken cancellation)
    {
        RefuseNothing(directory, create: false);
        return WaitingAsync(
            parsed.GetValue(wait),
            () => VersionStore.OpenToReadAsync(Path.GetFullPath(directory), SiteName, TimeProvider.System, cancellation), cancellation);
    }

    private static async Task<VersionStore> WaitingAsync(int seconds, Func<Task<VersionStore>> open, CancellationToken cancellation)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                var store = await open();
                foreach (var remark in store.Remarks)
                {
                    Shown.Complain($"mirror: {remark}");
                }

                return store;
            }
            catch (StoreInUseException) when (TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(seconds))
            {
                await Task.Delay(betweenTries, TimeProvider.System, cancellation);
            }
        }
    }

    private static void RefuseNothing(string directory, bool create)
    {
        if (!create && (!Directory.Exists(directory) || !Directory.EnumerateFileSystemEntries(directory).Any()))
        {
            throw new CommandException($"there is no store in {directory}. `mirror save DIR --store {directory}` makes one.");
        }
    }
}
