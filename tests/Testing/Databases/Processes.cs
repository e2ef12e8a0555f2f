using System.Text;

namespace Mirror.Testing.Databases;

/// <summary>What anybody on this machine sees of its processes.</summary>
public static class Processes
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);

    /// <summary>Process id and words of every process whose command line holds a text.</summary>
    public static IReadOnlyList<(int Id, string Line)> With(string text)
    {
        var found = new List<(int, string)>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), out var id) && Line(directory) is { } line && line.Contains(text, StringComparison.Ordinal))
            {
                found.Add((id, line));
            }
        }

        return found;
    }

    /// <summary>So many seconds for the program `sleep` to sleep that nobody else on this machine sleeps just as long: what a test started is known by it.</summary>
    public static string OwnSeconds() => $"60{Random.Shared.Next(10)}.{Guid.NewGuid().GetHashCode() & int.MaxValue:0000000000}";

    /// <summary>Completes when there is none. What was killed is gone a moment later.</summary>
    public static Task UntilNoneAsync(string text) => UntilAsync(text, static found => found == 0);

    /// <summary>Completes when there are so many.</summary>
    public static Task UntilAsync(string text, int least) => UntilAsync(text, found => found >= least);

    private static async Task UntilAsync(string text, Func<int, bool> enough)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (With(text) is var found && !enough(found.Count))
        {
            if (TimeProvider.System.GetElapsedTime(began) > patience)
            {
                throw new TimeoutException($"After {patience.TotalSeconds} s, of what holds \"{text}\", there was: {string.Join("; ", found)}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }
    }

    private static string? Line(string directory)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes(directory + "/cmdline")).Replace('\0', ' ');
        }
        catch (IOException)
        {
            return null; // Ended since the directory was listed.
        }
    }
}
