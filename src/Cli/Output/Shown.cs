using System.Reflection;

namespace Mirror.Cli.Output;

/// <summary>A failure a command explains by itself: what happened, to what, and what to do next.</summary>
internal sealed class CommandException(string message, int exitCode = ExitCode.Failed) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}

/// <summary>
/// What a command shows: with <c>--json</c> one object (or one a line, for streams) on standard output; otherwise text for people. Progress and talk go to standard
/// error, so that output can be piped.
/// </summary>
internal sealed class Shown(bool json)
{
    public bool Json => json;

    /// <summary>True when a person watches standard error.</summary>
    public bool Talks => !json && !Console.IsErrorRedirected;

    public void Result(Fields asJson, Action<TextWriter> asText)
    {
        if (json)
        {
            Console.Out.WriteLine(asJson);
        }
        else
        {
            asText(Console.Out);
        }
    }

    /// <summary>A line of talk; silent with <c>--json</c>.</summary>
    public void Say(string line)
    {
        if (!json)
        {
            Console.Error.WriteLine(line);
        }
    }

    /// <summary>A line that must be seen, also by whoever asked for JSON.</summary>
    public static void Complain(string line) => Console.Error.WriteLine(line);

    /// <summary>Progress on one line that is overwritten; only on a terminal.</summary>
    public void Progress(string line)
    {
        if (Talks)
        {
            Console.Error.Write($"\r\u001b[K{line}");
        }
    }

    public void EndProgress()
    {
        if (Talks)
        {
            Console.Error.Write("\r\u001b[K");
        }
    }

    public void Error(string message, IEnumerable<Fields>? details = null)
    {
        if (json)
        {
            Console.Out.WriteLine(new Fields { ["ok"] = false, ["error"] = message, ["details"] = details });
        }

        Console.Error.WriteLine($"mirror: {message}");
    }

    public static int Version()
    {
        Console.Out.WriteLine(VersionText);
        return ExitCode.Ok;
    }

    public static string VersionText =>
        typeof(Shown).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";
}
