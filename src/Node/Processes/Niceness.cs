using System.Globalization;
using Mirror.Node.Configuration;

namespace Mirror.Node.Processes;

/// <summary>
/// How a program is started so that it takes what others leave: by <c>nice</c> and <c>ionice</c>, which become the program they are given. So it is gentle from its first instruction on, with all
/// the processes it starts itself. Where one of the two is not installed, that part is left out: a dump that is not gentle is better than none.
/// </summary>
public sealed record Niceness(int Cpu, IoPriority Io)
{
    private const int bestEffort = 2;
    private const int idle = 3;
    private const int lowest = 7;

    public static Niceness None { get; } = new(0, IoPriority.Normal);

    public static Niceness Of(CaptureConfig config) => new(config.Nice, config.Io);

    /// <summary>What to start instead of a program with its arguments.</summary>
    public (string File, IReadOnlyList<string> Arguments) Wrap(string file, IReadOnlyList<string> arguments)
    {
        if (Io != IoPriority.Normal && Find("ionice") is { } ionice)
        {
            string[] how = Io == IoPriority.Idle ? ["-c", Text(idle)] : ["-c", Text(bestEffort), "-n", Text(lowest)];

            // -t: where the kernel or a container does not allow it, the program runs all the same.
            (file, arguments) = (ionice, [.. how, "-t", file, .. arguments]);
        }

        if (Cpu > 0 && Find("nice") is { } nice)
        {
            (file, arguments) = (nice, ["-n", Text(Cpu), file, .. arguments]);
        }

        return (file, arguments);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string? Find(string program) =>
        new[] { "/usr/bin", "/bin", "/usr/local/bin" }.Select(directory => Path.Combine(directory, program)).FirstOrDefault(File.Exists);
}
