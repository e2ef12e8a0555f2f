using System.CommandLine;
using Mirror.Cli.Commands;
using Mirror.Cli.Output;

// The outline of the program: one file per command under Commands/, each a small object that knows its options and what to do.
var root = new RootCommand("Mirror keeps a hot rollover of a site: files, databases and running apps, on servers that take over by themselves.")
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
    RestoreCommand.Create(),
    VerifyCommand.Create(),
    CaptureCommand.Create(),
    PromoteCommand.Create(),
    SaveCommand.Create(),
    GuardCommand.Create(),
};

// Ctrl-C and SIGTERM cancel the command, which then stops what it started, in order.
var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromMinutes(2) };
return args is ["--version"] ? Shown.Version() : await root.Parse(args).InvokeAsync(configuration);
