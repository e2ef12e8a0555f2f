using System.CommandLine;
using Mirror.Node.Processes;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror guard</c>: started by a node, never by hand; apps are its children.</summary>
internal static class GuardCommand
{
    public static Command Create()
    {
        var command = new Command("guard", "Started by a node: stops the apps when the node is gone.") { Hidden = true };
        command.SetAction(_ => GuardProcess.Run(Console.OpenStandardInput(), Console.OpenStandardOutput(), TimeProvider.System));
        return command;
    }
}
