using System.Security.Cryptography;
using Mirror.Cli.Output;
using Mirror.Store.Packs;

namespace Mirror.Cli.Commands.Delta;

/// <summary>A file that gets its name when it is complete and on the disk, not before; or standard output, or a device. Without <see cref="Complete"/> nothing is left behind.</summary>
internal sealed class OutputFile : IAsyncDisposable
{
    private readonly string? path;
    private readonly string? partial;
    private bool completed;

    private OutputFile(string? path, string? partial, Stream stream)
    {
        this.path = path;
        this.partial = partial;
        Stream = stream;
    }

    public Stream Stream { get; }

    public long? Length { get; private set; }

    public static OutputFile Create(string path)
    {
        if (path == "-")
        {
            return new OutputFile(null, null, Console.OpenStandardOutput());
        }

        if (Directory.Exists(path))
        {
            throw new CommandException($"{path} is a directory; name a file in it.");
        }

        // Through a link, as every tool writes.
        path = Path.GetFullPath(File.Exists(path) ? File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path : path);
        if (!PackFile.MayReplace(path))
        {
            return new OutputFile(null, null, new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 0));
        }

        var partial = Beside(path);
        return new OutputFile(path, partial, new FileStream(partial, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, 0));
    }

    public void RequireFile(string why)
    {
        if (path is null)
        {
            throw new CommandException($"the result must be a regular file here: {why}.");
        }
    }

    /// <summary>A file without a name, gone when closed; where the result will be, or where temporary files are.</summary>
    public FileStream CreateScratch() => new(
        path is null ? Path.GetTempFileName() : Beside(path), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, 0, FileOptions.DeleteOnClose);

    /// <summary>Everything is written: on the disk with it, then the name, then the directory.</summary>
    public void Complete()
    {
        Length = Stream.CanSeek ? Stream.Length : null;
        if (path is not null)
        {
            Stream.Dispose();
            PackFile.Publish(partial!, path);
        }
        else
        {
            Stream.Flush();
        }

        completed = true;
    }

    /// <summary>With <c>--json</c> one object; nothing when the result itself went to standard output.</summary>
    public void Report(Shown shown, Fields json)
    {
        if (path is not null)
        {
            shown.Result(json, static _ => { });
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Stream.DisposeAsync();
        if (!completed && partial is not null)
        {
            File.Delete(partial);
        }
    }

    private static string Beside(string path) => Path.Combine(
        Path.GetDirectoryName(Path.GetFullPath(path))!, $".{Path.GetFileName(path)}.{RandomNumberGenerator.GetHexString(8, lowercase: true)}.partial");
}
