using System.Globalization;

namespace Mirror.Bench.Measuring;

/// <summary>CPU that children of a process took, those that ended and were waited for.</summary>
internal static class ProcessTimes
{
    // The unit in which Linux tells times to programs, on every processor .NET runs on.
    private const double TicksASecond = 100;

    // Past the name, which may hold anything: the state is the first, and these are (proc(5): cutime, cstime).
    private const int OfChildren = 13;

    /// <summary>Seconds, in user mode and in the kernel.</summary>
    public static double OfEndedChildren(int process)
    {
        var stat = File.ReadAllText($"/proc/{process}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return fields[OfChildren..(OfChildren + 2)].Sum(field => long.Parse(field, CultureInfo.InvariantCulture)) / TicksASecond;
    }
}
