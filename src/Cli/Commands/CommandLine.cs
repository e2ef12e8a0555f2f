using System.CommandLine;
using Mirror.Cli.Commands.Delta;
using Mirror.Cli.Commands.Packs;
using Mirror.Cli.Output;

namespace Mirror.Cli.Commands;

/// <summary>The outline of the program: one file per command, each a small object that knows its options and what to do.</summary>
internal static class CommandLine
{
    public static RootCommand Root() =>
        new("Mirror keeps a hot rollover of a site: files, databases and running apps, on servers that take over by themselves.")
        {
            InitCommand.Create(),
            DoctorCommand.Create(),
            NodeCommand.Create(),
            ProxyCommand.Create(),
            WitnessCommand.Create(),
            DemoCommand.Create(),
            StatusCommand.Create(),
            VersionsCommand.Create(),
            ShowCommand.Create(),
            DiffCommand.Create(),
            FindCommand.Create(),
            CatCommand.Create(),
            RestoreCommand.Create(),
            VerifyCommand.Create(),
            ForgetCommand.Create(),
            ProtectCommand.Create(),
            KeyFrameCommand.Create(),
            CaptureCommand.Create(),
            PromoteCommand.Create(),
            SaveCommand.Create(),
            DeltaCommand.Create(),
            PackCommand.Create(),
            GuardCommand.Create(),
        };

    public static async Task<int> RunAsync(string[] arguments)
    {
        var parsed = Root().Parse(arguments);
        if (parsed.Action is System.CommandLine.Invocation.ParseErrorAction)
        {
            return Running.Refuse(parsed);
        }

        // Ctrl-C and SIGTERM cancel the command, which then stops what it started, in order.
        var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromMinutes(2) };
        return await parsed.InvokeAsync(configuration);
    }
}
