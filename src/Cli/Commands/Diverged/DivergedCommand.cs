using System.CommandLine;

namespace Mirror.Cli.Commands.Diverged;

/// <summary><c>mirror diverged</c>: what a dead primary had and never replicated, once its node is back.</summary>
internal static class DivergedCommand
{
    public static Command Create() => new(
        "diverged",
        "Branches that diverged: what a primary had written when another took over, and nobody else ever saw. When its node came back it kept that under the number of its last version, and went on as a replica. No command deletes one but `drop`, with a reason.\n\n"
        + "Examples: mirror diverged list; mirror diverged show 3.14; mirror diverged export 3.14 --to /tmp/lost --only-differing; mirror diverged drop 3.14 --reason \"both orders were typed in again\"")
    {
        DivergedListCommand.Create(),
        DivergedShowCommand.Create(),
        DivergedExportCommand.Create(),
        DivergedDropCommand.Create(),
    };
}
