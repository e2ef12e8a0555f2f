using Mirror.Store.Manifests;

namespace Mirror.Store.Tests.Manifests;

/// <summary>Manifests share pages with those they were made from; one that went through many small changes must be no other than one made at once.</summary>
public sealed class SharedPagesTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_long_life_in_small_steps_leads_to_the_same_as_each_state_by_itself(int seed)
    {
        var random = new Random(seed);
        var state = new SortedDictionary<EntryPath, Entry>();
        foreach (var entry in Enumerable.Range(0, 3_000).SelectMany(file => new[] { Folder($"d{file % 40}"), File($"d{file % 40}/f{file}", file % 700) }).Append(Folder("")))
        {
            state[entry.Path] = entry;
        }

        var manifest = Manifest.FromSorted([.. state.Values]);
        for (var step = 0; step < 120; step++)
        {
            var before = state.ToDictionary();
            for (var change = random.Next(1, 8); change > 0; change--)
            {
                Change(state, random);
            }

            var put = state.Values.Where(entry => !before.TryGetValue(entry.Path, out var old) || old != entry).ToList();
            var removed = before.Keys.Where(path => !state.ContainsKey(path)).Order().ToList();
            var next = manifest.Apply(new ManifestDelta(put, removed));

            var whole = Manifest.FromSorted([.. state.Values]);
            Assert.Equal(whole.Entries, next.Entries);
            Assert.Equal(whole.Root, next.Root);
            Assert.Equal(whole.TotalBytes, next.TotalBytes);
            var difference = Manifest.Diff(manifest, next);
            Assert.Equal(put, difference.Put);
            Assert.Equal(removed, difference.Removed);
            foreach (var content in Enumerable.Range(0, 20).Select(_ => Hash(random.Next(720))))
            {
                Assert.Equal(whole.FindContent(content), next.FindContent(content));
            }

            manifest = next;
        }
    }

    [Fact]
    public void A_small_change_that_leaves_no_manifest_is_refused_in_a_large_one_too()
    {
        var entries = Enumerable.Range(0, 2_000).Select(file => File($"d/f{file:D4}", file)).Prepend(Folder("d")).Prepend(Folder("")).ToList();
        entries.Add(File("e", 1));
        entries.Add(File("f", 1) with { HardlinkOf = EntryPath.Parse("e") });
        var manifest = Manifest.FromSorted(entries);
        _ = manifest.Root;
        ManifestDelta[] wrongs =
        [
            new([], [EntryPath.Parse("d")]),
            new([], [EntryPath.Parse("e")]),
            new([], [EntryPath.Root]),
            new([File("d", 1)], []),
            new([File("e", 2)], []),
            new([File("g/h", 1)], []),
            new([File("d/f0001/x", 1)], []),
            new([File("g", 1) with { Size = long.MaxValue }], []),
        ];
        Assert.All(wrongs, wrong => Assert.Throws<InvalidDataException>(() => manifest.Apply(wrong)));

        // Together they are right.
        var moved = manifest.Apply(new ManifestDelta([File("f", 1)], [EntryPath.Parse("e")]));
        Assert.Equal(1, moved.NamesOf(EntryPath.Parse("f")));
        Assert.Equal(2, manifest.NamesOf(EntryPath.Parse("e")));
    }

    private static void Change(SortedDictionary<EntryPath, Entry> state, Random random)
    {
        var path = EntryPath.Parse($"d{random.Next(45)}/f{random.Next(3_200)}");
        switch (random.Next(12))
        {
            case 0:
                // A folder with all that is in it.
                foreach (var gone in state.Keys.Where(key => key.IsWithin(path.Parent)).Take(60).ToList().AsEnumerable().Reverse().Where(key => key != path.Parent))
                {
                    state.Remove(gone);
                }

                break;
            case 1 or 2:
                state.Remove(path);
                break;
            default:
                state.TryAdd(path.Parent, Folder(path.Parent.ToString()));
                state[path] = File(path.ToString(), random.Next(700)) with { Mode = (uint)random.Next(512) };
                break;
        }
    }

    private static ContentHash Hash(int content) => ContentHash.From(System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(content)));

    private static Entry File(string path, int content) => new() { Path = EntryPath.Parse(path), Type = EntryType.File, Mode = 0x1a4, Size = 4, Hash = Hash(content) };

    private static Entry Folder(string path) => new() { Path = EntryPath.Parse(path), Type = EntryType.Directory, Mode = 0x1ed };
}
