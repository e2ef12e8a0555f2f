using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Store.Packs;

namespace Mirror.Cli.Commands.Packs;

/// <summary>The pack a command is given: a file, or what comes through a pipe, which is put into a temporary file first because a pack is read from its end.</summary>
internal sealed class PackInput : IAsyncDisposable
{
    private readonly FileStream? spool;

    private PackInput(PackReader reader, FileStream? spool)
    {
        Reader = reader;
        this.spool = spool;
    }

    public PackReader Reader { get; }

    public static Argument<string> Argument() => new("pack") { Description = "The pack file, or - for standard input." };

    public static Option<string[]> KeyFiles() => new("--key-file")
    {
        Description = "For an encrypted pack: a file with its key, one line of 64 hexadecimal digits. May be given often; the pack says which it takes.",
        AllowMultipleArgumentsPerToken = false,
    };

    public static async Task<PackInput> OpenAsync(string path, string[]? keyFiles, CancellationToken cancellation)
    {
        PackKey[] keys = [.. (keyFiles ?? []).Select(PackKey.ReadFile)];
        if (path == "-" && !Console.IsInputRedirected)
        {
            throw new CommandException("standard input is a terminal, and a pack is no text. Redirect a file or a pipe to it.", ExitCode.Usage);
        }

        if (Directory.Exists(path))
        {
            throw new CommandException($"{path} is a directory. Name a pack in it; `mirror verify` and `mirror versions` look at whole stores.");
        }

        var name = path == "-" ? "/dev/stdin" : path;
        await using var file = new FileStream(name, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 0);
        if (file.CanSeek)
        {
            return new PackInput(Open(name, keys), null);
        }

        var spool = new FileStream(Path.GetTempFileName(), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, 0, FileOptions.DeleteOnClose);
        try
        {
            await file.CopyToAsync(spool, 1 << 20, cancellation);
            return new PackInput(Open(spool.Name, keys), spool);
        }
        catch
        {
            await spool.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Reader.Dispose();
        if (spool is not null)
        {
            await spool.DisposeAsync();
        }
    }

    private static PackReader Open(string path, PackKey[] keys)
    {
        try
        {
            return PackReader.Open(path, keys);
        }
        catch (PackKeyException locked)
        {
            throw new CommandException($"{locked.Message} Its file goes behind --key-file.");
        }
    }
}
