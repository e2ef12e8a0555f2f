using System.CommandLine;

namespace Mirror.Cli.Commands.Delta;

/// <summary><c>mirror delta</c>: the delta engine on two files, as rdiff has it; and what rdiff has not: reverse deltas for free, and deltas that join.</summary>
internal static class DeltaCommand
{
    public static Command Create() => new(
        "delta",
        "Deltas between files, with neither Mirror's cluster nor a store: sign the old file, diff the new one against the signature, patch the old one. " +
        "A dash stands for standard input or output.\n\n" +
        "Example: mirror delta sign dump.1 dump.sig; mirror delta diff dump.sig dump.2 dump.delta; mirror delta patch dump.1 dump.delta dump.new")
    {
        DeltaSignCommand.Create(),
        DeltaDiffCommand.Create(),
        DeltaPatchCommand.Create(),
        DeltaInvertCommand.Create(),
        DeltaComposeCommand.Create(),
    };
}
