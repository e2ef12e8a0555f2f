using System.CommandLine;
using System.Security.Cryptography;
using Mirror.Cli.Output;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;

namespace Mirror.Cli.Commands.Packs;

/// <summary><c>mirror pack cat PACK CONTENT</c>.</summary>
internal static class PackCatCommand
{
    public static Command Create()
    {
        var pack = PackInput.Argument();
        var content = new Argument<string>("content") { Description = "A path the pack changes, or the SHA-256 of a content it brings." };
        var keys = PackInput.KeyFiles();
        var basis = new Option<string?>("--basis") { Description = "For a delta: the file it was made from, as it was in the version before." };
        var command = new Command(
            "cat",
            "Write one content of a pack to standard output. Its SHA-256 is checked while it is written: trust it when the exit code is 0.\n\n" +
            "Examples: mirror pack cat 0.0-1.1.pack pages/home > home; mirror pack cat 1.1-1.2.pack dump.sql --basis dump.sql.old")
        {
            pack, content, keys, basis,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            if (shown.Json)
            {
                throw new CommandException("`pack cat` writes the content itself; leave --json out. `pack ls --json` tells about it.", ExitCode.Usage);
            }

            await using var input = await PackInput.OpenAsync(parsed.GetValue(pack)!, parsed.GetValue(keys), cancellation);
            var named = parsed.GetValue(content)!;
            if (Find(input.Reader, named) is not { } blob)
            {
                return ExitCode.Ok;
            }

            await using var old = await OpenBasisAsync(input.Reader, named, blob, parsed.GetValue(basis), cancellation);
            await using var delta = input.Reader.OpenDelta(blob.Hash);
            await using var output = Console.OpenStandardOutput();
            var (length, sha256) = await FileDelta.ApplyAsync(old, delta, output, blob.Size, cancellation);
            await output.FlushAsync(cancellation);
            return length == blob.Size && ContentHash.From(sha256) == blob.Hash
                ? ExitCode.Ok
                : throw new CommandException($"what was written is not {named}: it has {length} bytes with the SHA-256 {ContentHash.From(sha256)}, not {blob.Size} with {blob.Hash}. `mirror pack verify` says more; fetch the pack again.");
        });
        return command;
    }

    /// <summary>Null for an empty file, which needs nothing from anywhere.</summary>
    private static BlobInfo? Find(PackReader pack, string named)
    {
        if (named.Length == 2 * ContentHash.Length && named.All(char.IsAsciiHexDigit) && pack.Find(ContentHash.From(Convert.FromHexString(named))) is { } content)
        {
            return content;
        }

        var entry = pack.ReadChanges().Put.FirstOrDefault(entry => PackText.PathOf(entry.Path) == named)
            ?? throw new CommandException($"{named} is neither a path that the pack {pack.Path} changes nor the SHA-256 of a content in it. `mirror pack ls` lists both.");
        if (entry.Type != EntryType.File)
        {
            throw new CommandException($"{named} is no file but a {entry.Type.ToString().ToLowerInvariant()}: it has no content.");
        }

        return entry.Size == 0
            ? null
            : pack.Find(entry.Hash) ?? throw new CommandException(
                $"the pack does not bring the content of {named}: {(pack.Header.From.IsNone ? "it is partial" : $"{pack.Header.From} has it already, there or under another name")}. Look there for the SHA-256 {entry.Hash}.");
    }

    private static async Task<Stream> OpenBasisAsync(PackReader pack, string named, BlobInfo blob, string? path, CancellationToken cancellation)
    {
        if (blob.Basis.IsNone)
        {
            return Stream.Null;
        }

        if (path is null)
        {
            throw new CommandException($"the pack has {named} as a delta. Give the file it was made from, as it was in {pack.Header.From}, with --basis: its SHA-256 is {blob.Basis}.");
        }

        var basis = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 0);
        try
        {
            if (!basis.CanSeek)
            {
                throw new CommandException($"{path} is no regular file, and a delta jumps about in its basis. Save it to a file first.");
            }

            var hash = ContentHash.From(await SHA256.HashDataAsync(basis, cancellation));
            basis.Position = 0;
            return hash == blob.Basis ? basis : throw new CommandException($"{path} has the SHA-256 {hash}; the delta was made from {blob.Basis}. Give that one: nothing was written.");
        }
        catch
        {
            await basis.DisposeAsync();
            throw;
        }
    }
}
