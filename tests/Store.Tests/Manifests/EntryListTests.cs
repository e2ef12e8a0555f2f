using System.Text;
using Mirror.Store.Manifests;

namespace Mirror.Store.Tests.Manifests;

/// <summary>Packed entries against the same as objects: what is found, where subtrees end, and what comes out again.</summary>
public sealed class EntryListTests
{
    // Names that sort before and after '/', that begin each other, that are long, and that are no text.
    private static readonly string[] s_names = ["a", "a!", "a-b", "ab", "abc", "b", "z", "~", "\u00e9", new('n', 255)];

    [Theory]
    [InlineData(1, 15)]
    [InlineData(2, 16)]
    [InlineData(3, 17)]
    [InlineData(4, 700)]
    [InlineData(5, 6_000)]
    public void What_is_packed_is_found_and_comes_out_as_it_was(int seed, int count)
    {
        var random = new Random(seed);
        var entries = Tree(random, count);
        var list = From(entries);

        Assert.Equal(entries, list);
        Assert.Equal(entries.Count, list.Count);
        for (var at = 0; at < entries.Count; at++)
        {
            Assert.Equal(entries[at], list[at]);
            Assert.Equal(at, list.IndexOf(entries[at].Path));
            var end = at + 1;
            while (end < entries.Count && entries[end].Path.IsWithin(entries[at].Path))
            {
                end++;
            }

            Assert.Equal(end, list.EndOfSubtree(at));
        }
    }

    [Fact]
    public void A_path_that_is_not_there_has_a_place_where_it_would_be()
    {
        var entries = Tree(new Random(6), 2_000);
        var list = From(entries);
        foreach (var path in entries.SelectMany(entry => new[] { entry.Path.Append("0"u8), entry.Path.Append("zz"u8) }).Where(path => entries.TrueForAll(entry => entry.Path != path)).Take(500))
        {
            Assert.Equal(~entries.FindIndex(entry => entry.Path > path) is var place && place == 0 ? ~entries.Count : place, list.IndexOf(path));
        }
    }

    [Fact]
    public void What_differs_between_lists_is_told_and_nothing_that_is_said_in_another_way()
    {
        var random = new Random(9);
        var entries = Tree(random, 3_000);
        var others = entries.Where((_, at) => at % 7 != 1).Select((entry, at) => (at % 5) switch
        {
            0 => entry with { MtimeUnixNs = entry.MtimeUnixNs ^ 1 },
            1 => entry with { Owner = "somebody" },
            2 => entry with { Sparse = true },
            3 => (entry with { Unstable = !entry.Unstable, DeviceMajor = 3 }) with { Unstable = entry.Unstable, DeviceMajor = entry.DeviceMajor },
            _ => entry with { },
        }).ToList();
        var told = new List<(Entry?, Entry?)>();

        EntryList.Compare(From(entries), From(others), (left, right) => told.Add((left, right)));

        var (before, after) = (entries.ToDictionary(static entry => entry.Path), others.ToDictionary(static entry => entry.Path));
        Assert.Equal(
            entries.Select(entry => ((Entry?)entry, after.GetValueOrDefault(entry.Path))).Where(static pair => pair.Item1 != pair.Item2),
            told);
        Assert.True(told.Count > 1_000);
        told.Clear();
        EntryList.Compare(From([]), From(others), (left, right) => told.Add((left, right)));
        Assert.Equal(others.Select(static entry => ((Entry?)null, (Entry?)entry)), told);
    }

    [Fact]
    public void A_walk_goes_anywhere()
    {
        var random = new Random(7);
        var entries = Tree(random, 3_000);
        var list = From(entries);
        var walk = new EntryList.Walk(list, new byte[EntryPath.MaxLength]);
        for (var step = 0; step < 20_000; step++)
        {
            var at = random.Next(entries.Count);
            walk.MoveTo(at);
            Assert.True(walk.Path.SequenceEqual(entries[at].Path.Bytes) && walk.Name.SequenceEqual(entries[at].Path.Name) && walk.Type == entries[at].Type);
            Assert.Equal(entries[at], walk.Entry);
        }
    }

    [Fact]
    public void Stats_stay_beside_the_entries_they_are_of()
    {
        var entries = Tree(new Random(8), 3_000);
        var list = From(entries);
        Assert.Empty(list.WhereStat(static seen => seen.IsKnown));
        for (var at = 0; at < entries.Count; at += 3)
        {
            list.SetStat(at, new SeenStat(1, (ulong)at + 1, -at, at));
        }

        var edits = entries.Where(static (_, at) => at % 100 == 50).Select(static entry => new EntryEdit(entry.Path, null, KeepsEntry: entry.Type == EntryType.Directory)).ToList();
        var edited = list.With(edits);

        Assert.All(edited.Select(static (entry, at) => (entry, at)), pair => Assert.Equal(list.StatAt(list.IndexOf(pair.entry.Path)), edited.StatAt(pair.at)));
        Assert.Equal(list.WhereStat(static seen => seen.Inode == 1), [0]);
    }

    private static EntryList From(List<Entry> entries) => EntryList.From(new EntryRows([.. entries], new ContentHash[entries.Count], []));

    private static List<Entry> Tree(Random random, int count)
    {
        var entries = new SortedDictionary<EntryPath, Entry> { [EntryPath.Root] = Made(EntryPath.Root, EntryType.Directory, random) };
        var directories = new List<EntryPath> { EntryPath.Root };
        while (entries.Count < count)
        {
            var parent = directories[random.Next(directories.Count)];
            var name = Encoding.UTF8.GetBytes(s_names[random.Next(s_names.Length)] + (random.Next(3) == 0 ? "" : $"{random.Next(count)}"));
            if (name.Length > EntryPath.MaxNameLength || parent.Bytes.Length + name.Length + 1 > EntryPath.MaxLength)
            {
                continue;
            }

            var type = random.Next(5) == 0 ? EntryType.Directory : (EntryType)random.Next(1, 7);
            var path = parent.Append(name);
            if (entries.TryAdd(path, Made(path, type, random)) && type == EntryType.Directory)
            {
                directories.Add(path);
            }
        }

        return [.. entries.Values];
    }

    private static Entry Made(EntryPath path, EntryType type, Random random) => new()
    {
        Path = path,
        Type = type,
        Mode = (uint)random.Next(0x1000),
        Uid = (uint)random.Next(3),
        Gid = uint.MaxValue,
        Owner = random.Next(2) == 0 ? "" : "www-data",
        MtimeUnixNs = random.NextInt64(long.MinValue, long.MaxValue),
        Size = type == EntryType.File ? random.NextInt64(0, random.Next(2) == 0 ? 300 : long.MaxValue) : 0,
        Hash = type == EntryType.File ? new ContentHash((ulong)random.NextInt64(), 2, 3, (ulong)random.Next(5)) : default,
        LinkTarget = type == EntryType.Symlink ? [1, 2, 3] : [],
        DeviceMinor = type == EntryType.BlockDevice ? 7u : 0,
        Sparse = type == EntryType.File && random.Next(9) == 0,
        HardlinkOf = type == EntryType.File && random.Next(9) == 0 ? EntryPath.Parse("leader") : null,
        Xattrs = random.Next(20) == 0 ? [new Xattr("user.x", [9])] : [],
    };
}
