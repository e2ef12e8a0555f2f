using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>Reads small files of one tree whole, each in as few system calls as it takes: a tree of many files is read at the speed of those. For any number of threads.</summary>
public sealed class TreeReader : IDisposable
{
    private readonly TreeHandle tree;

    /// <param name="root">Existing directory.</param>
    /// <exception cref="DirectoryNotFoundException"/>
    public TreeReader(string root) => tree = new TreeHandle(root);

    /// <summary>Reads a regular file from its start, and its stat when that was done. Links are not followed.</summary>
    /// <param name="buffer">Filled as far as the file goes; a file as long as the buffer may go on.</param>
    /// <returns>Bytes read; null when the file is gone.</returns>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    /// <exception cref="IOException">It is no regular file (any more), a link stands in its place, or the disk failed.</exception>
    public int? Read(EntryPath path, Span<byte> buffer, out StatKey stat)
    {
        stat = default;

        // Without "non-blocking" a fifo that took the file's place would hold us until somebody writes to it.
        var descriptor = tree.Open(path.Bytes, Posix.ReadOnly | Posix.NonBlocking);
        if (descriptor is -Errno.NotFound or -Errno.NotDirectory)
        {
            return null;
        }

        PosixError.Check(descriptor, "open for reading", tree.Root, path);
        try
        {
            var length = 0;
            int read;
            do
            {
                read = PosixError.Check(Posix.Read(descriptor, buffer[length..]), "read", tree.Root, path);
                length += read;
            }
            while (read > 0 && length < buffer.Length);

            PosixError.Check(Posix.Stat(descriptor, out FileStat found), "look at", tree.Root, path);
            if (found.Type != EntryType.File)
            {
                throw new IOException($"Cannot read \"{tree.Root}/{path}\": it is not a regular file.");
            }

            stat = found.Key;
            return length;
        }
        finally
        {
            Posix.Close(descriptor);
        }
    }

    public void Dispose() => tree.Dispose();
}
