using Mirror.Cli.Commands;
using Mirror.Cli.Output;

// Asked for its version, it need not know what it can do.
return args is ["--version"] ? Shown.Version() : await CommandLine.RunAsync(CommandLine.Root(), args);
