using System.CommandLine;
using System.Runtime.CompilerServices;
using Mirror.Cli.Commands.Delta;
using Mirror.Cli.Commands.Diverged;
using Mirror.Cli.Commands.Logs;
using Mirror.Cli.Commands.Packs;
using Mirror.Cli.Output;

namespace Mirror.Cli.Commands;

/// <summary>The outline of the program: one file per command, each a small object that knows its options and what to do.</summary>
internal static class CommandLine
{
    /// <summary>All that this program can do. Members of a cluster need a runtime (Akka makes code while it runs), so one compiled to machine code has only the tools, and nothing of a member in its file.</summary>
    public static RootCommand Root()
    {
        IEnumerable<Command> commands = RuntimeFeature.IsDynamicCodeSupported ? [.. Hosts(), .. Tools()] : Tools();
        var root = new RootCommand("Mirror keeps a hot rollover of a site: files, databases and running apps, on servers that take over by themselves.");
        foreach (var command in commands)
        {
            root.Subcommands.Add(command);
        }

        return root;
    }

    /// <summary>Commands that run members of a cluster, or make what those need.</summary>
    private static IEnumerable<Command> Hosts() =>
    [
        InitCommand.Create(),
        DoctorCommand.Create(),
        NodeCommand.Create(),
        ProxyCommand.Create(),
        WitnessCommand.Create(),
        DemoCommand.Create(),
        GuardCommand.Create(),
    ];

    /// <summary>Commands that do something with files, a store, or a member that runs already, and are gone again. They use nothing that only a runtime can do.</summary>
    private static IEnumerable<Command> Tools() =>
    [
        StatusCommand.Create(),
        VersionsCommand.Create(),
        ShowCommand.Create(),
        DiffCommand.Create(),
        FindCommand.Create(),
        CatCommand.Create(),
        LogsCommand.Create(),
        RestoreCommand.Create(),
        VerifyCommand.Create(),
        ForgetCommand.Create(),
        ProtectCommand.Create(),
        KeyFrameCommand.Create(),
        CaptureCommand.Create(),
        PromoteCommand.Create(),
        HistoryCommand.Create(),
        DivergedCommand.Create(),
        FailoverCommands.Pause(),
        FailoverCommands.Resume(),
        SaveCommand.Create(),
        IgnoreCommand.Create(),
        DeltaCommand.Create(),
        PackCommand.Create(),
    ];

    public static async Task<int> RunAsync(RootCommand root, string[] arguments)
    {
        var parsed = root.Parse(arguments);
        if (parsed.Action is System.CommandLine.Invocation.ParseErrorAction)
        {
            return Running.Refuse(parsed);
        }

        // Ctrl-C and SIGTERM cancel the command, which then stops what it started, in order.
        var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromMinutes(2) };
        return await parsed.InvokeAsync(configuration);
    }
}
