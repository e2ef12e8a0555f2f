using System.Globalization;
using System.Runtime.InteropServices;
using Mirror.Node.Configuration;

namespace Mirror.Node.Diagnosis;

/// <summary>Can the state be kept where it is to be, and are the sites' roots on the same mount, so that hard links and renames reach from one to the other?</summary>
internal static partial class DiskChecks
{
    private const long Scarce = 1L << 30;
    private const long TooLittle = 100L << 20;

    public static IEnumerable<Check> State(MemberConfig member)
    {
        // The nearest directory that is there is where the state would be created.
        var place = Existing(member.State);
        var probe = Path.Combine(place, ".mirror-doctor-" + Guid.NewGuid().ToString("N"));
        Check check;
        try
        {
            if (!Directory.Exists(place))
            {
                return [new Check("state", CheckResult.Failed, $"{place} is a file, so {member.State} cannot be a directory.", "Move the file away, or choose another `state`.")];
            }

            Directory.CreateDirectory(probe);
            var file = Path.Combine(probe, "file");
            File.WriteAllText(file, "probe");
            check = Link(file, Path.Combine(probe, "link")) == 0
                ? Checkup.Ok("state", place == member.State ? $"{member.State} is writable, and has hard links." : $"{member.State} can be made in {place}, and has hard links.")
                : new Check(
                    "state", CheckResult.Failed, $"The file system of {member.State} has no hard links ({Marshal.GetLastPInvokeErrorMessage()}).",
                    "Keep state and sites on ext4, xfs, btrfs or another file system with hard links.");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            check = new Check("state", CheckResult.Failed, $"{member.State} cannot be written: {exception.Message}", "Create it and give it to the user mirror runs as, or run as root; check for a read-only mount.");
        }
        finally
        {
            if (Directory.Exists(probe))
            {
                Directory.Delete(probe, recursive: true);
            }
        }

        return [check, Space(place)];
    }

    public static IEnumerable<Check> Root(MemberConfig member, SiteConfig site)
    {
        var name = $"root {site.Name}";
        var root = site.Files.Root;
        var link = new FileInfo(root).LinkTarget;
        if (link is not null && Existing(root).StartsWith(RealPath(Existing(member.State)) + "/", StringComparison.Ordinal))
        {
            return [Checkup.Ok(name, $"{root} leads to the current version in {member.State}.")];
        }

        var checks = new List<Check>();
        var exists = Directory.Exists(root);
        if (File.Exists(root))
        {
            return [new Check(name, CheckResult.Failed, $"{root} is a file.", "A site's root is a directory; correct files.root.")];
        }

        if (!exists && site.Primary == member.Name)
        {
            checks.Add(new Check(name, CheckResult.Failed, $"{root} does not exist, and {member.Name} is to be the site's first primary.", "Create it, or name the node that has the files as primary."));
        }

        if (exists && site.Primary != member.Name && Directory.EnumerateFileSystemEntries(root).Any())
        {
            checks.Add(new Check(
                name, CheckResult.Warning, $"{root} holds files already. As a replica, {member.Name} takes them for an older copy of the site and makes them the same as the primary's.",
                "That saves time when it is a copy of the site. If it is anything else, move it away first."));
        }

        // Links and renames work within one mount only: also a second mount of the same device is foreign. The directory itself is renamed, so its parent counts.
        var mounts = MountTable.Read();
        var ofState = mounts.Of(RealPath(Existing(member.State)));
        var ofRoot = mounts.Of(RealPath(Existing(root)));
        var ofParent = mounts.Of(RealPath(Existing(Path.GetDirectoryName(root) ?? "/")));
        if (ofRoot != ofState || ofParent != ofState)
        {
            checks.Add(new Check(
                name, CheckResult.Failed, $"{root} is on the mount {ofRoot}{(ofParent == ofRoot ? "" : $" (its parent on {ofParent})")}, the state {member.State} on {ofState}.",
                "Put `state` on the file system of the site, e.g. beside its root; unchanged files are hard links between the two."));
        }

        if (checks.All(check => check.Result == CheckResult.Warning))
        {
            checks.Add(Checkup.Ok(name, exists ? $"{root} is there, on the same mount as the state." : $"{root} will be made, on the same mount as the state."));
        }

        return checks;
    }

    private static Check Space(string place)
    {
        var drive = new DriveInfo(place);
        var free = drive.AvailableFreeSpace;
        var what = string.Create(CultureInfo.InvariantCulture, $"{place} has {free / (double)(1L << 30):0.0} GiB free of {drive.TotalSize / (double)(1L << 30):0.0}.");
        const string remedy = "Versions cost what changed, but the first copy and its history need room: free some, or choose another `state`.";
        return free < TooLittle ? new Check("space", CheckResult.Failed, what, remedy)
            : free < Scarce || free < drive.TotalSize / 20 ? new Check("space", CheckResult.Warning, what, remedy)
            : Checkup.Ok("space", what);
    }

    /// <summary>The path as the kernel sees it, or its nearest ancestor that is there.</summary>
    private static string Existing(string path)
    {
        var place = path;
        while (!Path.Exists(place))
        {
            place = Path.GetDirectoryName(place) ?? "/";
        }

        return new FileInfo(place).LinkTarget is null ? place : RealPath(place);
    }

    private static unsafe string RealPath(string path)
    {
        var resolved = stackalloc byte[4097];
        return ResolvePath(path, resolved) == null ? path : Marshal.PtrToStringUTF8((nint)resolved) ?? path;
    }

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string added);

    [LibraryImport("libc", EntryPoint = "realpath", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial byte* ResolvePath(string path, byte* resolved);
}
