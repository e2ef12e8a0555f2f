using Mirror.Store.Slots;

namespace Mirror.Store.Tests.Versions;

/// <summary>
/// A disk that stops working at its n-th change: for good, as when the machine dies, or for that one change only, as when it is full for a moment. A file that is
/// being written then is half there. What only makes changes durable is left out: that is not what is tested, and other work on the machine makes it slow.
/// </summary>
internal sealed class FailingDisk(int failAt, bool forGood) : IStoreDisk
{
    private readonly StoreDisk real = new();
    private readonly string? failOn;
    private bool dead;

    /// <summary>Dies at the first change of this name.</summary>
    public FailingDisk(string operation)
        : this(0, forGood: true) => failOn = operation;

    public List<string> Operations { get; } = [];

    /// <summary>Counting starts when set: opening and preparing do not take part.</summary>
    public bool Armed { get; set; }

    public string? Failed { get; private set; }

    /// <summary>The file system can exchange two names in one step.</summary>
    public bool Exchanges { get; init; } = true;

    /// <summary>Reading such a file fails as on a bad sector.</summary>
    public Func<string, bool> IsUnreadable { get; set; } = _ => false;

    public void CreateDirectory(string op, string path, bool passable) => Change(op, () => real.CreateDirectory(op, path, passable));

    public void WriteFile(string op, string path, ReadOnlySpan<byte> content)
    {
        if (Fails(op))
        {
            File.WriteAllBytes(path, content[..(content.Length / 2)]);
            throw Failure(op);
        }

        real.WriteFile(op, path, content);
    }

    public void Rename(string op, string from, string to) => Change(op, () => real.Rename(op, from, to));

    public void CreateLink(string op, string path, string target) => Change(op, () => real.CreateLink(op, path, target));

    public void DeleteFile(string op, string path) => Change(op, () => real.DeleteFile(op, path));

    public void DeleteTree(string op, string path) => Change(op, () => real.DeleteTree(op, path));

    public void SyncDirectory(string op, string path) => Change(op, () => { });

    public void Change(string op, Action change)
    {
        if (Fails(op))
        {
            throw Failure(op);
        }

        if (!op.EndsWith(": sync", StringComparison.Ordinal))
        {
            change();
        }
    }

    public Task ChangeAsync(string op, Func<Task> change) => Fails(op) ? throw Failure(op) : change();

    public bool TryExchange(string op, string left, string right)
    {
        var done = false;
        if (Exchanges)
        {
            Change(op, () => done = ((IStoreDisk)real).TryExchange(op, left, right));
        }

        return done;
    }

    public void Reading(string op, string path)
    {
        if (IsUnreadable(path))
        {
            throw new IOException("Input/output error");
        }
    }

    private bool Fails(string op)
    {
        if (!Armed)
        {
            return false;
        }

        Operations.Add(op);
        dead |= op == failOn;
        return dead || Operations.Count == failAt || (forGood && failOn is null && Operations.Count > failAt);
    }

    private IOException Failure(string op)
    {
        Failed ??= op;
        return new IOException($"Injected failure at \"{op}\".");
    }
}
