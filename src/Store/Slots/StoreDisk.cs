using System.Runtime.InteropServices;
using System.Text;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Store.Slots;

/// <summary>The real disk. System calls where .NET has none: rename(2) for any kind of file, and fsync of a directory.</summary>
internal sealed partial class StoreDisk : IStoreDisk
{
    /// <summary>The errno of a failed <see cref="Rename"/> or <see cref="SyncDirectory"/> is kept in <see cref="Exception.HResult"/>.</summary>
    public const int CrossDevice = 18;

    private const int ReadOnlyDirectoryCloseOnExec = 0x80000 | 0x10000;

    public void CreateDirectory(string op, string path, bool passable)
    {
        const UnixFileMode Own = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Directory.CreateDirectory(path, passable ? Own | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute : Own);
    }

    public void WriteFile(string op, string path, ReadOnlySpan<byte> content)
    {
        using var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(content);
        file.Flush(flushToDisk: true);
    }

    public void Rename(string op, string from, string to) => Check(RenameCall(from, to), $"{op}: cannot rename {from} to {to}");

    public void CreateLink(string op, string path, string target) => File.CreateSymbolicLink(path, target);

    public void DeleteFile(string op, string path) => File.Delete(path);

    public void DeleteTree(string op, string path)
    {
        if (!Directory.Exists(path))
        {
            return;
        }

        using var parent = new TreeWriter(Path.GetDirectoryName(path)!);
        parent.Remove(EntryPath.Root.Append(Encoding.UTF8.GetBytes(Path.GetFileName(path))));
    }

    public void SyncDirectory(string op, string path)
    {
        var descriptor = OpenCall(path, ReadOnlyDirectoryCloseOnExec, 0);
        Check(descriptor, $"{op}: cannot open {path}");
        try
        {
            Check(SyncCall(descriptor), $"{op}: cannot sync {path}");
        }
        finally
        {
            _ = CloseCall(descriptor);
        }
    }

    public void Change(string op, Action change) => change();

    public Task ChangeAsync(string op, Func<Task> change) => change();

    private static void Check(int result, string what)
    {
        if (result < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            throw new IOException($"{what}: {Marshal.GetPInvokeErrorMessage(errno)}.", errno);
        }
    }

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameCall(string from, string to);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenCall(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncCall(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int CloseCall(int descriptor);
}
