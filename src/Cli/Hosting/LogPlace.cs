using System.Globalization;

namespace Mirror.Cli.Hosting;

/// <summary>Where this process's log goes, for whoever is told to look there.</summary>
internal static class LogPlace
{
    private const string standardOutput = "/proc/self/fd/1";

    /// <summary>The file that standard output is; the journal, under systemd; else which process it is the output of.</summary>
    public static string Describe()
    {
        var process = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        if (Environment.GetEnvironmentVariable("JOURNAL_STREAM") is { Length: > 0 })
        {
            return $"the journal (`journalctl _PID={process}`)";
        }

        // A pipe or a terminal is a link to a name too, but to no file one could open later.
        return new FileInfo(standardOutput).LinkTarget is { } target && File.Exists(target) && !target.StartsWith("/dev/", StringComparison.Ordinal)
            ? target
            : $"the output of process {process}";
    }
}
