namespace Mirror.Store.Manifests;

/// <summary>What entries must satisfy together: order, parents, hard-link groups.</summary>
internal static class ManifestRules
{
    /// <summary>Bytes of all files, hard-link groups counted once.</summary>
    /// <exception cref="InvalidDataException">Says which path and what is wrong with it.</exception>
    public static long Check(Entry[] entries)
    {
        // The directories that are open at this place of the order, the root first.
        var directories = new Stack<Entry>();
        Dictionary<EntryPath, Entry>? leaders = null;
        long bytes = 0;
        for (var at = 0; at < entries.Length; at++)
        {
            var entry = entries[at];
            if (at > 0 && entries[at - 1].Path >= entry.Path)
            {
                throw Refused(entry, "it is out of order or there twice");
            }

            while (directories.TryPeek(out var open) && !entry.Path.IsWithin(open.Path))
            {
                directories.Pop();
            }

            if (!entry.Path.IsRoot && (directories.Count == 0 || !IsChild(directories.Peek().Path, entry.Path)))
            {
                throw Refused(entry, "the directory it is in is missing, or no directory");
            }

            if (entry.Type == EntryType.Directory)
            {
                directories.Push(entry);
            }
            else if (entry.HardlinkOf is not null)
            {
                CheckMember(entry, leaders ??= Leaders(entries));
            }
            else
            {
                bytes = entry.Size <= long.MaxValue - bytes ? bytes + entry.Size : throw Refused(entry, "all files together are larger than can be counted");
            }
        }

        return bytes;
    }

    /// <summary>
    /// Whether entries that were a manifest still are one after some changes, looking at those changes only. No says that something is wrong, and <see cref="Check"/> says what.
    /// </summary>
    /// <param name="entries">After the changes.</param>
    /// <param name="links">Groups after the changes.</param>
    /// <param name="bytes">Of all files, after the changes.</param>
    public static bool StillHold(EntryList entries, ManifestDelta changes, LinkGroups links, Int128 bytes)
    {
        if (bytes > long.MaxValue)
        {
            return false;
        }

        foreach (var entry in changes.Put)
        {
            var at = entries.IndexOf(entry.Path);
            if (!entry.Path.IsRoot && FindIn(entries, entry.Path.Parent) is not { Type: EntryType.Directory })
            {
                return false;
            }

            if (entry.Type != EntryType.Directory && at + 1 < entries.Count && entries[at + 1].Path.IsWithin(entry.Path))
            {
                return false;
            }

            if ((entry.HardlinkOf is not null && !IsMember(entries, entry)) || links.MembersOf(entry.Path).Any(member => !IsMember(entries, FindIn(entries, member)!)))
            {
                return false;
            }
        }

        foreach (var path in changes.Removed)
        {
            var at = entries.IndexOf(path);
            if (at < 0 && ((~at < entries.Count && entries[~at].Path.IsWithin(path)) || links.MembersOf(path).Count > 0))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsMember(EntryList entries, Entry member) =>
        FindIn(entries, member.HardlinkOf!.Value) is { HardlinkOf: null } leader && member.Equals(leader with { Path = member.Path, HardlinkOf = leader.Path });

    private static Entry? FindIn(EntryList entries, EntryPath path) => entries.IndexOf(path) is >= 0 and var at ? entries[at] : null;

    /// <summary>The path is known to lie below the directory; it is its child when only one name follows.</summary>
    private static bool IsChild(EntryPath directory, EntryPath path)
    {
        var rest = path.Bytes[(directory.IsRoot ? 0 : directory.Bytes.Length + 1)..];
        return !rest.Contains((byte)'/');
    }

    private static Dictionary<EntryPath, Entry> Leaders(Entry[] entries)
    {
        var wanted = new HashSet<EntryPath>();
        foreach (var entry in entries)
        {
            if (entry.HardlinkOf is { } leader)
            {
                wanted.Add(leader);
            }
        }

        return entries.Where(entry => wanted.Contains(entry.Path)).ToDictionary(static entry => entry.Path);
    }

    private static void CheckMember(Entry member, Dictionary<EntryPath, Entry> leaders)
    {
        if (!leaders.TryGetValue(member.HardlinkOf!.Value, out var leader) || leader.HardlinkOf is not null)
        {
            throw Refused(member, $"it is a hard link to \"{member.HardlinkOf}\", which is missing or a hard link itself");
        }

        if (!member.Equals(leader with { Path = member.Path, HardlinkOf = leader.Path }))
        {
            throw Refused(member, $"it is a hard link to \"{member.HardlinkOf}\" and says something else of the same file");
        }
    }

    private static InvalidDataException Refused(Entry entry, string why) => new($"The manifest is refused at \"{entry.Path}\": {why}.");
}
