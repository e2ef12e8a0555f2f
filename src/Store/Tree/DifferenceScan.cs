using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>
/// Walks a whole tree and tells only what is not as it is known, so that a tree in which nothing changed costs one look at the stat of each entry, on all cores, and makes no object for any of them.
/// A file is as known when its stat is the one it had when it was captured: then nobody changed its content, its attributes, or anything else of it since.
/// </summary>
/// <param name="known">The tree as it was captured last, with the stats that its files had then.</param>
/// <param name="asRead">How such a stat looks in the tree that is walked, where that is a snapshot of the one that was captured; null when it is the same tree.</param>
public sealed class DifferenceScan(Manifest known, Func<StatKey, StatKey>? asRead = null)
{
    /// <summary>Found entries with the directories above them, and the known ones whose place they take; both in manifest order.</summary>
    /// <exception cref="DirectoryNotFoundException">The root is not a directory.</exception>
    /// <exception cref="UnauthorizedAccessException">The root itself cannot be listed.</exception>
    public TouchedTree Scan(string root, Func<EntryPath, EntryType, bool> exclude, CancellationToken cancellation)
    {
        using var tree = new TreeHandle(root);
        var hands = new List<Hand>();
        var (start, end) = known.RangeOf(EntryPath.Root);
        var first = new Hand(this, tree, exclude);
        var top = new Place(new LookedAt(first.Look.LookAtRoot(), Shared: false), null, start < end ? known.Entries[start] : null, start, end);
        WalkCrew<Place>.Run(
            top,
            () =>
            {
                lock (hands)
                {
                    hands.Add(hands.Count == 0 ? first : new Hand(this, tree, exclude));
                    return hands[^1].Enter;
                }
            },
            cancellation);
        if (top.IsLost)
        {
            var reason = hands.SelectMany(static hand => hand.Look.Unreadable).ToList() is [var why] ? why.Reason : "it vanished";
            throw new UnauthorizedAccessException($"Cannot list \"{root}\": {reason}.");
        }

        foreach (var hand in hands.Where(hand => hand != first))
        {
            first.Take(hand);
        }

        first.Found.Sort(static (left, right) => left.Entry.Entry.Path.CompareTo(right.Entry.Entry.Path));
        first.Replaced.Sort(static (left, right) => left.Path.CompareTo(right.Path));
        return new TouchedTree(first.Look.Result(Once(first.Found)), first.Replaced);
    }

    /// <summary>A directory to be entered.</summary>
    /// <param name="self">As it was found.</param>
    /// <param name="above">The directory it lies in.</param>
    /// <param name="known">What is known at its path; null when that is no directory.</param>
    /// <param name="start">Where it is among the known entries, and <paramref name="end"/> where what lies below it ends.</param>
    private sealed class Place(LookedAt self, Place? above, Entry? known, int start, int end)
    {
        private int told;

        public LookedAt Self => self;

        public Place? Above => above;

        public Entry? Known => known;

        public int Start => start;

        public int End => end;

        /// <summary>It vanished, or could not be read.</summary>
        public bool IsLost { get; set; }

        public bool TellOnce() => Interlocked.Exchange(ref told, 1) == 0;
    }

    /// <summary>What one thread does, and what it found.</summary>
    private sealed class Hand(DifferenceScan scan, TreeHandle tree, Func<EntryPath, EntryType, bool> exclude)
    {
        private readonly byte[] listing = new byte[DirectoryListing.BufferLength];
        private readonly byte[] room = new byte[EntryPath.MaxLength];
        private readonly List<(Entry Entry, int At)> children = [];
        private readonly List<bool> met = [];
        private bool isFirstLook = true;

        public TreeLook Look { get; } = new(tree, exclude);

        public List<LookedAt> Found { get; } = [];

        public List<Entry> Replaced { get; } = [];

        public void Take(Hand other)
        {
            Found.AddRange(other.Found);
            Replaced.AddRange(other.Replaced);
            Look.Take(other.Look);
        }

        /// <summary>A directory, and those above it that were not told yet.</summary>
        public void Tell(Place? place)
        {
            for (; place is not null && place.TellOnce(); place = place.Above)
            {
                Found.Add(place.Self);
                if (place.Known is { } before)
                {
                    Replaced.Add(before);
                }
            }
        }

        public void Enter(Place place, List<Place> more)
        {
            if (isFirstLook)
            {
                // Which file system the tree is on.
                Look.LookAtRoot();
                isFirstLook = false;
            }

            var path = place.Self.Entry.Entry.Path;
            var descriptor = tree.OpenDirectory(path.Bytes, Posix.ReadOnly);
            if (descriptor < 0)
            {
                Lose(place, descriptor);
                return;
            }

            try
            {
                Index(place);
                if (place.Known is null || !place.Known.Equals(place.Self.Entry.Entry))
                {
                    Tell(place);
                }

                int length;
                while ((length = Posix.GetDirectoryEntries(descriptor, listing)) > 0)
                {
                    for (var at = 0; at < length;)
                    {
                        var name = DirectoryListing.NameAt(listing.AsSpan(at, length - at), out var type, out var size);
                        at += size;
                        if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                        {
                            LookAt(place, descriptor, name, type, more);
                        }
                    }
                }

                if (length < 0)
                {
                    Look.Unreadable.Add(new UnreadablePath(path, PosixError.Text(-length)));
                }
            }
            finally
            {
                Posix.Close(descriptor);
            }

            for (var i = 0; i < children.Count; i++)
            {
                if (!met[i])
                {
                    Tell(place);
                    Replace(children[i].Entry, children[i].At, scan.EndOf(children[i].At));
                }
            }
        }

        private void LookAt(Place place, int descriptor, ReadOnlySpan<byte> name, byte claimed, List<Place> more)
        {
            var index = Find(name);
            if (index >= 0 && met[index])
            {
                return;
            }

            var (before, at) = index < 0 ? (null, 0) : children[index];
            EntryPath path;
            if (before is not null)
            {
                path = before.Path;
            }
            else if (place.Self.Entry.Entry.Path.Bytes.Length + 1 + name.Length > EntryPath.MaxLength)
            {
                Look.Unreadable.Add(new UnreadablePath(place.Self.Entry.Entry.Path, TreeWalk.TooLong));
                return;
            }
            else
            {
                path = place.Self.Entry.Entry.Path.Append(name);
            }

            if (!Look.TryStat(descriptor, new ListedName(path, claimed), out var stat, out var type))
            {
                return;
            }

            if (before is { Type: EntryType.File } && type == EntryType.File && IsAsKnown(before, at, stat))
            {
                met[index] = true;
                return;
            }

            if (Look.Describe(descriptor, path, type, stat) is not { } found)
            {
                return;
            }

            type = found.Entry.Entry.Type;

            if (index >= 0)
            {
                met[index] = true;
            }

            if (type == EntryType.Directory)
            {
                var wasDirectory = before is { Type: EntryType.Directory };
                if (before is not null && !wasDirectory)
                {
                    Replaced.Add(before);
                }

                more.Add(new Place(found, place, wasDirectory ? before : null, at, wasDirectory ? scan.EndOf(at) : at));
                return;
            }

            if (before is not null && !found.Shared && before.Equals(found.Entry.Entry))
            {
                return;
            }

            Tell(place);
            Found.Add(found);
            if (before is not null)
            {
                Replace(before, at, scan.EndOf(at));
            }
        }

        // A file with several names is told with all of them: what is said of it is said once.
        private bool IsAsKnown(Entry before, int at, in FileStat stat) =>
            stat.Links == 1 && before is { HardlinkOf: null, Unstable: false }
            && scan.StatAt(at, before) is { } key && key == stat.Key
            && Look.IsAsDescribed(before, stat);

        private void Lose(Place place, int error)
        {
            if (error != -Errno.NotFound)
            {
                Look.Unreadable.Add(new UnreadablePath(place.Self.Entry.Entry.Path, PosixError.Text(-error)));
            }

            place.IsLost = true;
            Tell(place.Above);
            if (place.Known is { } before)
            {
                Replace(before, place.Start, place.End);
            }
        }

        private void Replace(Entry before, int start, int end)
        {
            Replaced.Add(before);
            for (var at = start + 1; at < end; at++)
            {
                Replaced.Add(scan.EntryAt(at));
            }
        }

        private void Index(Place place)
        {
            children.Clear();
            met.Clear();
            var walk = scan.Walk(room);
            for (var at = place.Start + 1; at < place.End;)
            {
                walk.MoveTo(at);
                children.Add((walk.Entry, at));
                met.Add(false);
                at = walk.Type == EntryType.Directory ? scan.EndOf(at) : at + 1;
            }
        }

        // In one directory manifest order is that of the names' bytes.
        private int Find(ReadOnlySpan<byte> name)
        {
            int low = 0, high = children.Count - 1;
            while (low <= high)
            {
                var middle = low + ((high - low) / 2);
                var order = children[middle].Entry.Path.Name.SequenceCompareTo(name);
                if (order == 0)
                {
                    return middle;
                }

                (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
            }

            return -1;
        }
    }

    // A directory that names are moved in while it is listed may tell one twice.
    private static List<LookedAt> Once(List<LookedAt> sorted)
    {
        var last = 0;
        for (var at = 1; at < sorted.Count; at++)
        {
            if (sorted[at].Entry.Entry.Path != sorted[last].Entry.Entry.Path)
            {
                sorted[++last] = sorted[at];
            }
        }

        return sorted.Count == 0 ? sorted : sorted[..(last + 1)];
    }

    private Entry EntryAt(int at) => known.Entries[at];

    private EntryList.Walk Walk(Span<byte> path) => known.Walk(path);

    private int EndOf(int at) => known.EndOfSubtree(at);

    private StatKey? StatAt(int at, Entry entry) => known.StatAt(at, entry) is { } key ? asRead?.Invoke(key) ?? key : null;
}
