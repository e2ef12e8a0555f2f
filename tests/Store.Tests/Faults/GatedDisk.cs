using Mirror.Store.Slots;

namespace Mirror.Store.Tests.Faults;

/// <summary>The real disk, and before each operation something else is done, while the store is in the middle of its work.</summary>
internal sealed class GatedDisk(Action<string> before) : IStoreDisk
{
    private readonly StoreDisk real = new();

    public void CreateDirectory(string op, string path, bool passable) => Run(op, () => real.CreateDirectory(op, path, passable));

    public void WriteFile(string op, string path, ReadOnlySpan<byte> content)
    {
        before(op);
        real.WriteFile(op, path, content);
    }

    public void Rename(string op, string from, string to) => Run(op, () => real.Rename(op, from, to));

    public void CreateLink(string op, string path, string target) => Run(op, () => real.CreateLink(op, path, target));

    public void DeleteFile(string op, string path) => Run(op, () => real.DeleteFile(op, path));

    public void DeleteTree(string op, string path) => Run(op, () => real.DeleteTree(op, path));

    public void SyncDirectory(string op, string path) => Run(op, () => real.SyncDirectory(op, path));

    public void Change(string op, Action change) => Run(op, change);

    public Task ChangeAsync(string op, Func<Task> change)
    {
        before(op);
        return change();
    }

    private void Run(string op, Action operation)
    {
        before(op);
        operation();
    }
}
