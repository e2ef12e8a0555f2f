using System.Security.Cryptography;
using Microsoft.Extensions.Time.Testing;
using Mirror.Store.Slots;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Retention;

/// <summary>A store whose clock is moved by hand, with versions whose every tree is known.</summary>
internal sealed class ThinnedSite(VersionedSite site) : IDisposable
{
    public ThinnedSite()
        : this(new VersionedSite())
    {
    }

    public VersionedSite Site => site;

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2025, 3, 1, 12, 0, 0, TimeSpan.Zero));

    public string HistoryDirectory => Path.Combine(Site.StoreDirectory, "history");

    public Task<VersionStore> OpenAsync(IStoreDisk? disk = null) => Site.OpenAsync(disk ?? new FailingDisk(failAt: 0, forGood: false), time: Time);

    /// <summary>One more version, current, an hour after the last.</summary>
    public async Task AddAsync(VersionStore store, TreeLiteral tree)
    {
        Site.Add(tree);
        Time.Advance(TimeSpan.FromHours(1));
        await Site.StageAllAsync(store, flip: true);
    }

    /// <summary>A page that changes in every version, a large file that changes a little, and files that come and go.</summary>
    public static TreeLiteral Tree(int version) => TreeLiteral.Empty
        .File("page", $"this is version {version}")
        .File("large", [.. SampleTrees.Text(1, 20_000), .. SampleTrees.Text(version, 300), .. SampleTrees.Text(2, 20_000)])
        .File("back-and-forth", SampleTrees.Text(version % 2, 5_000))
        .File("kept", "always the same")
        .File("empty", "")
        .File($"only-in/{version / 3}", SampleTrees.Text(100 + version, 2_000))
        .Symlink("link", $"only-in/{version / 3}");

    public async Task AddManyAsync(VersionStore store, int count)
    {
        for (var at = 0; at < count; at++)
        {
            await AddAsync(store, Tree(Site.Versions.Count + 1));
        }
    }

    /// <summary>These versions and no others are there, each is restored exactly, and the store finds nothing wrong with itself.</summary>
    public async Task AssertHoldsAsync(VersionStore store, params IEnumerable<int> sequences)
    {
        var expected = sequences.Select(Id).ToList();
        Assert.Equal(expected, store.Versions.Select(version => version.Record.Id));
        await AssertSoundAsync(store);
    }

    public async Task AssertSoundAsync(VersionStore store)
    {
        await VersionedSite.AssertCleanAsync(store);
        Assert.False(Directory.Exists(Path.Combine(Site.StoreDirectory, "thinning")));
        Assert.False(File.Exists(Path.Combine(Site.StoreDirectory, "journal")));
        foreach (var version in store.Versions)
        {
            Assert.True(version.Restorable, $"{version.Record.Id} cannot be restored");
            await Site.AssertRestoresAsync(store, version.Record);
        }
    }

    public long HistoryBytes() => Directory.EnumerateFiles(HistoryDirectory).Sum(path => new FileInfo(path).Length);

    public IEnumerable<string> HistoryFiles() => Directory.EnumerateFiles(HistoryDirectory).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal);

    /// <summary>The same for the same packs.</summary>
    public string HistoryDigest() => string.Join(' ', HistoryFiles().Select(file => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(HistoryDirectory, file))))));

    /// <summary>A store of its own, as this one is on disk; the versions are the same.</summary>
    public ThinnedSite Copy()
    {
        var copy = new ThinnedSite(new VersionedSite(Site));
        copy.Time.SetUtcNow(Time.GetUtcNow());
        Shell.Run("cp -a \"$1\" \"$2\"", Site.StoreDirectory, copy.Site.StoreDirectory);
        return copy;
    }

    public static VersionId Id(int sequence) => new(1, (ulong)sequence);

    public void Dispose() => Site.Dispose();
}
