using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>In what two entries of one path differ, in words for a person; nothing when they agree.</summary>
public static class EntryDifference
{
    /// <summary>Every field.</summary>
    public static IEnumerable<string> Between(Entry expected, Entry actual)
    {
        foreach (var difference in OnDisk(expected, actual))
        {
            yield return difference;
        }

        if (expected.Hash != actual.Hash && actual.Hash.IsNone)
        {
            yield return $"content {expected.Hash}, not none";
        }

        if (SameOwner(expected.Owner, actual.Owner, expected.Uid, actual.Uid) && (expected.Uid, expected.Owner) != (actual.Uid, actual.Owner))
        {
            yield return $"owner number {expected.Uid} {expected.Owner}, not {actual.Uid} {actual.Owner}";
        }

        if (SameOwner(expected.Group, actual.Group, expected.Gid, actual.Gid) && (expected.Gid, expected.Group) != (actual.Gid, actual.Group))
        {
            yield return $"group number {expected.Gid} {expected.Group}, not {actual.Gid} {actual.Group}";
        }

        if (expected.Sparse != actual.Sparse)
        {
            yield return expected.Sparse ? "sparse, not dense" : "dense, not sparse";
        }

        if (expected.Unstable != actual.Unstable)
        {
            yield return expected.Unstable ? "unstable, not stable" : "stable, not unstable";
        }
    }

    /// <summary>
    /// What a tree on this machine fails to show of what a manifest records. Three things differ lawfully: numbers of owners whose names agree, holes
    /// (they depend on the file system), and what only a capture knows. A hash that was not computed is not compared.
    /// </summary>
    public static IEnumerable<string> OnDisk(Entry recorded, Entry found)
    {
        if (recorded.Type != found.Type)
        {
            yield return $"{recorded.Type}, not {found.Type}";
            yield break;
        }

        if (recorded.Mode != found.Mode)
        {
            yield return $"mode {Octal(recorded.Mode)}, not {Octal(found.Mode)}";
        }

        if (!SameOwner(recorded.Owner, found.Owner, recorded.Uid, found.Uid))
        {
            yield return $"owner {recorded.Uid} {recorded.Owner}, not {found.Uid} {found.Owner}";
        }

        if (!SameOwner(recorded.Group, found.Group, recorded.Gid, found.Gid))
        {
            yield return $"group {recorded.Gid} {recorded.Group}, not {found.Gid} {found.Group}";
        }

        if (recorded.MtimeUnixNs != found.MtimeUnixNs)
        {
            yield return $"modified at {recorded.MtimeUnixNs} ns, not {found.MtimeUnixNs}";
        }

        if (recorded.Size != found.Size)
        {
            yield return $"{recorded.Size} bytes, not {found.Size}";
        }

        if (!found.Hash.IsNone && recorded.Hash != found.Hash)
        {
            yield return $"content {recorded.Hash}, not {found.Hash}";
        }

        if (!recorded.LinkTarget.AsSpan().SequenceEqual(found.LinkTarget))
        {
            yield return "another link target";
        }

        if ((recorded.DeviceMajor, recorded.DeviceMinor) != (found.DeviceMajor, found.DeviceMinor))
        {
            yield return $"device {recorded.DeviceMajor}:{recorded.DeviceMinor}, not {found.DeviceMajor}:{found.DeviceMinor}";
        }

        if (recorded.HardlinkOf != found.HardlinkOf)
        {
            yield return $"hard link of \"{recorded.HardlinkOf}\", not of \"{found.HardlinkOf}\"";
        }

        foreach (var xattr in recorded.Xattrs.Except(found.Xattrs))
        {
            yield return $"attribute {xattr.Name} missing or different";
        }

        foreach (var name in found.Xattrs.Select(static xattr => xattr.Name).Except(recorded.Xattrs.Select(static xattr => xattr.Name)))
        {
            yield return $"attribute {name} too many";
        }
    }

    /// <summary>Restoring prefers names; numbers decide only where a side has no name.</summary>
    private static bool SameOwner(string recorded, string found, uint recordedId, uint foundId) =>
        recordedId == foundId || (recorded.Length > 0 && recorded == found);

    private static string Octal(uint mode) => Convert.ToString(mode, 8).PadLeft(4, '0');
}
