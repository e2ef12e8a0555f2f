using Mirror.Cli.Commands;
using Mirror.Cli.Output;
using Mirror.Native;

// What is over in a moment should begin at once: the tools, compiled to machine code. Whatever else is asked for, also help and what nobody knows, is for the program with a runtime.
if (args is ["--version"])
{
    return Shown.Version();
}

var tools = CommandLine.Root();
return args.Length > 0 && tools.Subcommands.Any(command => command.Name == args[0])
    ? await CommandLine.RunAsync(tools, args)
    : HostProgram.Become(args);
