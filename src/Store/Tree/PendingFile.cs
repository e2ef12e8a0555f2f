using Microsoft.Win32.SafeHandles;
using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>A file being written under a temporary name. Disposing without <see cref="Commit"/> removes it.</summary>
public sealed class PendingFile : IDisposable
{
    private readonly TreeWriter writer;
    private readonly Entry entry;
    private readonly byte[] temporaryName;
    private readonly SafeFileHandle handle;
    private bool closed;

    internal PendingFile(TreeWriter writer, Entry entry, byte[] temporaryName, SafeFileHandle handle)
    {
        this.writer = writer;
        this.entry = entry;
        this.temporaryName = temporaryName;
        this.handle = handle;
        Content = entry.Sparse ? new HoleStream(handle) : new FileStream(handle, FileAccess.ReadWrite);
    }

    /// <summary>Seekable, readable and writable.</summary>
    public Stream Content { get; }

    /// <summary>All metadata, then the name, replacing what bore it. Nothing is synced: see <see cref="TreeWriter.Sync"/>.</summary>
    /// <exception cref="InvalidDataException">The content's length is not the entry's size; nothing was replaced.</exception>
    public void Commit()
    {
        ObjectDisposedException.ThrowIf(closed, this);
        Content.Flush();
        if (Content.Length != entry.Size)
        {
            throw new InvalidDataException($"The content of \"{entry.Path}\" has {Content.Length} bytes where its entry says {entry.Size}; it was not put in place.");
        }

        writer.Commit(entry, temporaryName, (int)handle.DangerousGetHandle());
        closed = true;
        Content.Dispose();
    }

    public void Dispose()
    {
        if (!closed)
        {
            closed = true;
            Content.Dispose();
            writer.Abandon(entry.Path, temporaryName);
        }
    }
}
