using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Store.Slots;

/// <summary>What tells before linking whether an inode is the expected one, and who else has it.</summary>
internal readonly record struct InodeFacts(long Size, long MtimeNs, uint Links)
{
    /// <summary>Null when there is no such file.</summary>
    public static InodeFacts? Of(TreeHandle tree, EntryPath path)
    {
        var descriptor = tree.Open(path.Bytes, Posix.PathOnly);
        if (descriptor < 0)
        {
            return descriptor is -Errno.NotFound or -Errno.NotDirectory or -Errno.TooManyLinks
                ? null
                : throw new IOException($"Cannot open \"{tree.Root}/{path}\": {PosixError.Text(-descriptor)}.");
        }

        try
        {
            PosixError.Check(Posix.Stat(descriptor, out var stat), "stat", tree.Root, path);
            return new InodeFacts(stat.Size, stat.Key.MtimeNs, stat.Links);
        }
        finally
        {
            Posix.Close(descriptor);
        }
    }
}
