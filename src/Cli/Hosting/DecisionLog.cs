using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Mirror.Node.Wire;

namespace Mirror.Cli.Hosting;

/// <summary>
/// What this node decided about a site, and why: a line each, over restarts, for `mirror history`. Kept to so many bytes, twice. A sentence that differs from a recent one in its numbers alone
/// (a candidate that asks again and again) is not written again until something else changed; what a person wanted is always written. A power cut may take the last lines.
/// </summary>
internal sealed partial class DecisionLog(string file, TimeProvider time, ILogger logger)
{
    private const long longest = 512 * 1024;
    private const int recentShapes = 8;
    private readonly Lock gate = new();
    private readonly Queue<string> recent = new();
    private (string Role, ulong Epoch) last;

    /// <param name="byPerson">A person said it: it is written though it was said before.</param>
    public void Write(string role, ulong epoch, string sentence, bool byPerson = false)
    {
        var shape = Number().Replace(sentence, "#");
        lock (gate)
        {
            if ((role, epoch) != last)
            {
                recent.Clear();
                last = (role, epoch);
            }

            if (!byPerson && recent.Contains(shape))
            {
                return;
            }

            recent.Enqueue(shape);
            if (recent.Count > recentShapes)
            {
                recent.Dequeue();
            }

            var line = string.Create(CultureInfo.InvariantCulture, $"{time.GetUtcNow().ToUnixTimeMilliseconds()}\t{role}\t{epoch}\t{Control().Replace(sentence, " ")}\n");
            try
            {
                if (new FileInfo(file) is { Exists: true, Length: > longest })
                {
                    File.Move(file, Older, overwrite: true);
                }

                File.AppendAllText(file, line);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                // The decision stands all the same; a full disk must not keep a site from moving.
                Log.NotWritten(logger, file, failure.Message);
            }
        }
    }

    /// <returns>Oldest first.</returns>
    public IReadOnlyList<DecisionLine> Read(string node, int most)
    {
        lock (gate)
        {
            return [.. new[] { Older, file }.Where(File.Exists).SelectMany(File.ReadLines).Select(line => Parse(line, node)).OfType<DecisionLine>().TakeLast(most)];
        }
    }

    private string Older => file + ".1";

    // A line that was cut short says nothing.
    private static DecisionLine? Parse(string line, string node) =>
        line.Split('\t') is [var at, var role, var epoch, var sentence] && long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
        && ulong.TryParse(epoch, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? new DecisionLine { UnixMs = milliseconds, Node = node, Role = role, Epoch = number, Sentence = sentence }
            : null;

    private static partial class Log
    {
        [LoggerMessage(7080, LogLevel.Warning, "A decision could not be written to {File}, and mirror history will lack it: {Reason}")]
        public static partial void NotWritten(ILogger logger, string file, string reason);
    }

    [GeneratedRegex("[0-9]+(\\.[0-9]+)*")]
    private static partial Regex Number();

    [GeneratedRegex("[\\p{Cc}]+")]
    private static partial Regex Control();
}
