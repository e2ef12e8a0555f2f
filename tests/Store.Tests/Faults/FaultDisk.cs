using Microsoft.Data.Sqlite;
using Mirror.Store.Slots;

namespace Mirror.Store.Tests.Faults;

internal enum FaultKind
{
    /// <summary>The operation does nothing and fails, once (EIO).</summary>
    Refused,

    /// <summary>The operation is done and yet reported as failed, once: an error at the end of a write, a reply that got lost.</summary>
    Late,

    /// <summary>Half of it is done, then it fails, once: a short write, a tree half deleted.</summary>
    Short,

    /// <summary>The disk is full from here on (ENOSPC): what only takes away, renames or syncs still works.</summary>
    Full,

    /// <summary>The process is killed before the operation: nothing works from here on.</summary>
    Killed,

    /// <summary>The process is killed in the middle of the operation.</summary>
    KilledWithin,
}

/// <param name="At">Number of the operation, the first being 1.</param>
internal sealed record Fault(int At, FaultKind Kind)
{
    public bool Kills => Kind is FaultKind.Killed or FaultKind.KilledWithin;
}

/// <summary>A disk that counts its operations and lets some of them fail. Everything else goes to the real one.</summary>
internal sealed class FaultDisk(params Fault[] faults) : IStoreDisk
{
    private const int IoError = 5;
    private const int NoSpace = 28;
    private const int SqliteIoError = 10;
    private const int SqliteFull = 13;

    private readonly StoreDisk real = new();
    private readonly HashSet<Fault> struck = [];
    private bool dead;
    private bool full;
    private bool quiet;

    public List<string> Operations { get; } = [];

    /// <summary>Told before an operation; it is the last of <see cref="Operations"/>.</summary>
    public Action? Watching { get; set; }

    public bool AllStruck => struck.Count == faults.Length;

    public string Describe() => string.Join(" and ", faults.Select(fault =>
        $"{fault.Kind} at {fault.At}{(fault.At <= Operations.Count ? $" ({Operations[fault.At - 1]})" : "")}"));

    /// <summary>The disk was mended: from here on everything works, unless the process was killed.</summary>
    public void Mend() => (quiet, full) = (true, false);

    public void Resume() => quiet = false;

    public void CreateDirectory(string op, string path, bool passable) => Run(op, () => real.CreateDirectory(op, path, passable));

    public void WriteFile(string op, string path, ReadOnlySpan<byte> content)
    {
        var bytes = content.ToArray();
        Run(op, () => real.WriteFile(op, path, bytes), () => real.WriteFile(op, path, bytes.AsSpan(0, bytes.Length / 2)));
    }

    public void Rename(string op, string from, string to) => Run(op, () => real.Rename(op, from, to), grows: false);

    public void CreateLink(string op, string path, string target) => Run(op, () => real.CreateLink(op, path, target));

    public void DeleteFile(string op, string path) => Run(op, () => real.DeleteFile(op, path), grows: false);

    public void DeleteTree(string op, string path) => Run(op, () => real.DeleteTree(op, path), () => DeleteHalf(path), grows: false);

    public void SyncDirectory(string op, string path) => Run(op, () => real.SyncDirectory(op, path), grows: false);

    public void SyncFile(string op, FileStream file) => Run(op, () => ((IStoreDisk)real).SyncFile(op, file), () =>
    {
        file.Flush();
        file.SetLength(file.Length / 2);
    });

    public void Change(string op, Action change) => Run(op, change, grows: Grows(op));

    public async Task ChangeAsync(string op, Func<Task> change)
    {
        var kind = Next(op, grows: true);
        if (kind is null or FaultKind.Late or FaultKind.Short or FaultKind.KilledWithin)
        {
            await change();
        }

        if (kind is not null)
        {
            throw Failure(op, kind.Value);
        }
    }

    private void Run(string op, Action whole, Action? half = null, bool grows = true)
    {
        var kind = Next(op, grows);
        if (kind is null or FaultKind.Late)
        {
            whole();
        }
        else if (kind is FaultKind.Short or FaultKind.KilledWithin)
        {
            (half ?? whole)();
        }

        if (kind is not null)
        {
            throw Failure(op, kind.Value);
        }
    }

    private FaultKind? Next(string op, bool grows)
    {
        if (dead)
        {
            return FaultKind.Killed;
        }

        if (quiet)
        {
            return null;
        }

        Operations.Add(op);
        Watching?.Invoke();
        if (faults.FirstOrDefault(fault => fault.At == Operations.Count) is not { } fault)
        {
            return full && grows ? FaultKind.Full : null;
        }

        struck.Add(fault);
        dead = fault.Kills;
        full |= fault.Kind == FaultKind.Full;
        return fault.Kind == FaultKind.Full && !grows ? null : fault.Kind;
    }

    private static Exception Failure(string op, FaultKind kind)
    {
        var full = kind == FaultKind.Full;
        var message = $"Injected: {kind} at \"{op}\"";
        return op.EndsWith(": commit", StringComparison.Ordinal)
            ? new SqliteException(message, full ? SqliteFull : SqliteIoError)
            : new IOException(message + ".", full ? NoSpace : IoError);
    }

    private static bool Grows(string op) =>
        !op.EndsWith(": sync", StringComparison.Ordinal)
        && !op.Contains("remove", StringComparison.Ordinal) && !op.Contains("make way", StringComparison.Ordinal) && !op.Contains("delete", StringComparison.Ordinal);

    private static void DeleteHalf(string path)
    {
        if (!Directory.Exists(path))
        {
            return;
        }

        var files = Directory.EnumerateFiles(path, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None }).Order(StringComparer.Ordinal).ToList();
        foreach (var file in files.Take((files.Count + 1) / 2))
        {
            File.Delete(file);
        }
    }
}
