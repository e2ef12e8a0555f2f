using System.Globalization;

namespace Mirror.Bench.Measuring;

/// <summary>Resident memory of a process and everything under it, from /proc.</summary>
internal static class ProcessMemory
{
    /// <summary>The sum of the peaks that the kernel keeps for each of them.</summary>
    public static long PeakBelow(int root)
    {
        long sum = 0;
        var left = new Stack<int>([root]);
        while (left.TryPop(out var process))
        {
            sum += Peak(process);
            foreach (var child in Children(process))
            {
                left.Push(child);
            }
        }

        return sum;
    }

    /// <summary>The most that a process had resident since its exec.</summary>
    public static long Peak(int process) => Read(process, "VmHWM:");

    /// <summary>What a process has resident now.</summary>
    public static long Resident(int process) => Read(process, "VmRSS:");

    /// <summary>Children of all its threads.</summary>
    public static IEnumerable<int> Children(int process)
    {
        try
        {
            return [.. Directory.GetDirectories($"/proc/{process}/task")
                .SelectMany(thread => Lines(Path.Combine(thread, "children")))
                .SelectMany(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                .Select(text => int.Parse(text, CultureInfo.InvariantCulture))];
        }
        catch (DirectoryNotFoundException)
        {
            return []; // It has just ended.
        }
    }

    private static long Read(int process, string field)
    {
        foreach (var line in Lines($"/proc/{process}/status"))
        {
            if (line.StartsWith(field, StringComparison.Ordinal))
            {
                return long.Parse(line[field.Length..^2], CultureInfo.InvariantCulture) * 1024;
            }
        }

        return 0;
    }

    private static string[] Lines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (IOException)
        {
            return []; // It has just ended.
        }
    }
}
