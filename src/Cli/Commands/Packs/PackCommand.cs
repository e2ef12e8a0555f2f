using System.CommandLine;

namespace Mirror.Cli.Commands.Packs;

/// <summary><c>mirror pack</c>: what is in a pack file, and whether it is sound; with neither a cluster nor a store.</summary>
internal static class PackCommand
{
    public static Command Create() => new(
        "pack",
        "Look into packs, the files that lead from one version to another (outbox, inbox and history of a store). They are read in place; a dash stands for standard input.\n\n" +
        "Example: mirror pack ls history/1.2-1.1.pack; mirror pack verify 1.1-1.2.pack --basis-tree /backup/wiki/current; mirror pack cat 0.0-1.1.pack pages/home")
    {
        PackLsCommand.Create(),
        PackVerifyCommand.Create(),
        PackCatCommand.Create(),
        PackStatCommand.Create(),
    };
}
