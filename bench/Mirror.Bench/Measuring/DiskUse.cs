using System.Globalization;
using CliWrap;
using CliWrap.Buffered;

namespace Mirror.Bench.Measuring;

/// <summary>What files on a disk hold; one with several names counts once.</summary>
internal static class DiskUse
{
    public static Task<long> BelowAsync(string folder) => OfAsync([folder]);

    public static async Task<long> OfAsync(string[] folders)
    {
        if (folders.Length == 0)
        {
            return 0;
        }

        var found = await CliWrap.Cli.Wrap("find").WithArguments([.. folders, "-ignore_readdir_race", "-type", "f", "-printf", "%i %s\n"]).ExecuteBufferedAsync();
        return found.StandardOutput.Split('\n', StringSplitOptions.RemoveEmptyEntries).Distinct().Sum(line => long.Parse(line[(line.IndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
    }
}
