using System.Text.RegularExpressions;

namespace Mirror.Cli.Demo;

/// <summary>What the members of a demo that failed complained of last, so that nobody has to look for it in their logs.</summary>
internal static partial class DemoLogs
{
    private const int mostLines = 3;
    private const int longestLine = 500;

    /// <param name="logOf">Path of a member's log.</param>
    public static string Describe(string directory, IEnumerable<string> members, Func<string, string> logOf)
    {
        var complaints = members.SelectMany(member => LastErrors(logOf(member)).Select(line => $"  {member}: {line}")).ToList();
        return $"Everything is left in {directory}, with the log of each member (NAME/mirror.log). "
            + (complaints.Count == 0 ? "None of them logged an error." : "Their last errors:\n" + string.Join('\n', complaints));
    }

    private static IEnumerable<string> LastErrors(string log) => File.Exists(log)
        ? File.ReadLines(log).Where(line => Error().IsMatch(line)).TakeLast(mostLines).Select(line => line.Length <= longestLine ? line : line[..longestLine] + " ...")
        : [];

    // What was logged as an error; what kept a member from starting; what ended it.
    [GeneratedRegex(@"^\S+ (fail|crit): |^mirror: |^Unhandled exception")]
    private static partial Regex Error();
}
