using Mirror.Store.Versions;

namespace Mirror.Store.Slots;

/// <summary>The disk of a store that is only read: no path inside it is changed, whoever forgot to ask.</summary>
internal sealed class ReadOnlyDisk(IStoreDisk real, string store) : IStoreDisk
{
    public void CreateDirectory(string op, string path, bool passable = false) => real.CreateDirectory(op, Checked(op, path), passable);

    public void WriteFile(string op, string path, ReadOnlySpan<byte> content) => real.WriteFile(op, Checked(op, path), content);

    public void Rename(string op, string from, string to) => real.Rename(op, Checked(op, from), Checked(op, to));

    public void CreateLink(string op, string path, string target) => real.CreateLink(op, Checked(op, path), target);

    public void DeleteFile(string op, string path) => real.DeleteFile(op, Checked(op, path));

    public void DeleteTree(string op, string path) => real.DeleteTree(op, Checked(op, path));

    public void SyncDirectory(string op, string path) => real.SyncDirectory(op, path);

    public void Change(string op, Action change) => throw Refusal(op);

    public Task ChangeAsync(string op, Func<Task> change) => throw Refusal(op);

    public void Reading(string op, string path) => real.Reading(op, path);

    private string Checked(string op, string path) => (path + "/").StartsWith(store + "/", StringComparison.Ordinal) ? throw Refusal(op) : path;

    private ReadOnlyStoreException Refusal(string op) => new($"The store {store} was opened only to be read: \"{op}\" is refused. Copy it to a place that can be written, or mend this one.");
}
