using Mirror.Cli.Output;

namespace Mirror.Cli.Commands.Delta;

/// <summary>A file to read, or standard input; tells how far it has come.</summary>
internal sealed class InputFile : IAsyncDisposable
{
    private readonly FileInfo? before;

    private InputFile(string name, Stream stream, FileInfo? before)
    {
        Name = name;
        Stream = stream;
        this.before = before;
    }

    public string Name { get; }

    public Stream Stream { get; }

    /// <summary>Of a regular file its length; else a guess, for what sizes tables.</summary>
    public long ExpectedLength => Stream.CanSeek ? Stream.Length : 64 << 20;

    public static InputFile Open(string path, Shown shown)
    {
        if (path == "-")
        {
            return new InputFile("standard input", Console.OpenStandardInput(), null);
        }

        if (Directory.Exists(path))
        {
            throw new CommandException($"{path} is a directory; `mirror save` keeps versions of those.");
        }

        // Large pieces are read, and some places of a file twice: a buffer would only copy.
        var file = new FileStream(path, new FileStreamOptions { BufferSize = 0, Options = FileOptions.SequentialScan, Share = FileShare.ReadWrite | FileShare.Delete });
        return new InputFile(path, shown.Talks && file.CanSeek ? new WatchedStream(file, done => shown.Progress($"{path} {done} %")) : file, file.CanSeek ? new FileInfo(path) : null);
    }

    public void RequireSeekable(string why)
    {
        if (!Stream.CanSeek)
        {
            throw new CommandException($"{Name} is no regular file, and {why}. Save it to a file first.");
        }
    }

    public void RequireUnchanged()
    {
        var now = new FileInfo(Name);
        if (before is not null && (!now.Exists || now.Length != before.Length || now.LastWriteTimeUtc != before.LastWriteTimeUtc))
        {
            throw new CommandException($"{Name} changed while it was read. Nothing was written; take a copy that holds still.");
        }
    }

    public ValueTask DisposeAsync() => Stream.DisposeAsync();
}
