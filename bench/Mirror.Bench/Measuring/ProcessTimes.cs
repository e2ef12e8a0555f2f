using System.Globalization;

namespace Mirror.Bench.Measuring;

/// <summary>CPU that a process took, or its children that ended and were waited for.</summary>
internal static class ProcessTimes
{
    // The unit in which Linux tells times to programs, on every processor .NET runs on.
    private const double TicksASecond = 100;

    // Past the name, which may hold anything: the state is the first, and these are (proc(5): cutime, cstime).
    private const int OfChildren = 13;

    private const int Own = 11; // utime, stime

    /// <summary>Seconds, in user mode and in the kernel.</summary>
    public static double OfEndedChildren(int process) => Sum(process, OfChildren);

    /// <summary>The same, of a process that runs and of those under it.</summary>
    public static double OfTree(int process) => Sum(process, Own) + ProcessMemory.Children(process).Sum(OfTree);

    private static double Sum(int process, int field)
    {
        var stat = File.ReadAllText($"/proc/{process}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return fields[field..(field + 2)].Sum(text => long.Parse(text, CultureInfo.InvariantCulture)) / TicksASecond;
    }
}
