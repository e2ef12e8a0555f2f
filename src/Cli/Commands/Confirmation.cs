using System.CommandLine;
using Mirror.Cli.Output;

namespace Mirror.Cli.Commands;

/// <summary>What cannot be taken back is asked for once: by --yes, or by a person at a terminal.</summary>
internal static class Confirmation
{
    public static Option<bool> Option() => new("--yes", "-y") { Description = "Do it without asking. Needed where nobody can be asked." };

    /// <exception cref="CommandException">The answer is no, or nobody can give one.</exception>
    public static void Require(bool given, Shown shown, string question)
    {
        if (given)
        {
            return;
        }

        if (shown.Json || Console.IsInputRedirected)
        {
            throw new CommandException($"{question} This cannot be taken back: say --yes. --dry-run shows what would be done. Nothing was changed.", ExitCode.Usage);
        }

        Console.Error.Write($"{question} [y/N] ");
        if (Console.In.ReadLine()?.Trim().ToLowerInvariant() is not ("y" or "yes"))
        {
            throw new CommandException("nothing was changed.");
        }
    }
}
