using System.Text;

namespace Mirror.Testing.Databases;

/// <summary>What anybody on this machine sees of its processes.</summary>
public static class Processes
{
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

    /// <summary>Completes when there is none. What was killed is gone a moment later.</summary>
    public static async Task UntilNoneAsync(string text)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (With(text) is { Count: > 0 } left)
        {
            if (TimeProvider.System.GetElapsedTime(began) > TimeSpan.FromSeconds(30))
            {
                throw new TimeoutException($"After 30 s there was still: {string.Join("; ", left)}");
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
