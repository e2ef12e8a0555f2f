using System.Text;
using Mirror.Store.Slots;
using Mirror.Store.Versions;

namespace Mirror.Store.Retention;

/// <summary>
/// Versions that no policy drops, with the reason somebody gave: the file <c>protected</c>, a line for each. Not in the index, since nothing else could tell them when that is lost. A file that cannot be
/// understood stops whatever drops versions, and nothing else.
/// </summary>
internal sealed class ProtectedVersions
{
    private const int MaxBytes = 4 * 1024 * 1024;
    private readonly SortedDictionary<VersionId, string> reasons;

    private ProtectedVersions(SortedDictionary<VersionId, string> reasons, string? fault)
    {
        this.reasons = reasons;
        Fault = fault;
    }

    public static ProtectedVersions None { get; } = new([], null);

    /// <summary>Why the file cannot be understood; null when it can.</summary>
    public string? Fault { get; }

    public string? ReasonFor(VersionId version) => reasons.GetValueOrDefault(version);

    /// <summary>The row's note, and after it that it is protected.</summary>
    public string Noted(VersionRow row) => ReasonFor(row.Record.Id) is not { } reason ? row.Note
        : row.Note.Length == 0 ? $"protected: {reason}" : $"{row.Note}; protected: {reason}";

    public static ProtectedVersions Read(string directory)
    {
        var path = PathIn(directory);
        var info = new FileInfo(path);
        if (!info.Exists)
        {
            return None;
        }

        if (info.Length > MaxBytes)
        {
            return new ProtectedVersions([], $"{path} is too large to be a list of versions");
        }

        var reasons = new SortedDictionary<VersionId, string>();
        foreach (var line in File.ReadAllLines(path).Where(line => line.Length > 0))
        {
            var end = line.IndexOf(' ', StringComparison.Ordinal);
            if (end <= 0 || !VersionId.TryParse(line[..end], out var version))
            {
                return new ProtectedVersions([], $"{path} has a line that names no version (\"{(line.Length > 40 ? line[..40] : line)}\")");
            }

            reasons[version] = line[(end + 1)..];
        }

        return new ProtectedVersions(reasons, null);
    }

    /// <exception cref="StoreException">The reason is no line of text, or the file on disk cannot be understood.</exception>
    public ProtectedVersions With(VersionId version, string reason)
    {
        RefuseFault();
        reason = GivenReason.Check(reason, $"protecting {version}");
        return new ProtectedVersions(new SortedDictionary<VersionId, string>(reasons) { [version] = reason }, null);
    }

    public ProtectedVersions Without(VersionId version)
    {
        RefuseFault();
        var fewer = new SortedDictionary<VersionId, string>(reasons);
        fewer.Remove(version);
        return new ProtectedVersions(fewer, null);
    }

    /// <exception cref="StoreException">The file cannot be understood: what it protects is unknown.</exception>
    public void RefuseFault()
    {
        if (Fault is not null)
        {
            throw new StoreException($"{Fault}: which versions are protected is unknown, and so none is dropped. Mend it (a line for each version: its number, a space, a reason), and open the store again.");
        }
    }

    public void Write(IStoreDisk disk, string directory) => disk.ReplaceFile(
        "protect", PathIn(directory), Encoding.UTF8.GetBytes(string.Concat(reasons.Select(pair => $"{pair.Key} {pair.Value}\n"))));

    private static string PathIn(string directory) => Path.Combine(directory, "protected");
}
