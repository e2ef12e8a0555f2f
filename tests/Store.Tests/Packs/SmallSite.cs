using CsCheck;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Store.Tests.Packs;

/// <summary>A whole site in memory: what a version is to the algebra. Applying a pack to one is the plainest thing that can be right.</summary>
internal sealed class SmallSite
{
    public static readonly BlockKey Key = new(0x5EED);
    private readonly SortedDictionary<string, byte[]> files;

    private SmallSite(ulong sequence, SortedDictionary<string, byte[]> files)
    {
        this.files = files;
        Manifest = Manifest.FromSorted(
            [PackSamples.Folder(""), .. files.Select(file => PackSamples.File(file.Key, file.Value)).OrderBy(entry => entry.Path)]);
        Contents = files.Values.DistinctBy(content => PackSamples.Hash(content)).ToDictionary(content => PackSamples.Hash(content));
        Version = PackSamples.Version(new VersionId(1, sequence), Manifest.Root) with { Parent = sequence > 1 ? new VersionId(1, sequence - 1) : default };
    }

    public Manifest Manifest { get; }

    public Dictionary<ContentHash, byte[]> Contents { get; }

    public VersionRecord Version { get; }

    public static SmallSite Of(ulong sequence, params (string Name, byte[] Content)[] files) =>
        new(sequence, new SortedDictionary<string, byte[]>(files.ToDictionary(file => file.Name, file => file.Content), StringComparer.Ordinal));

    /// <summary>A history of versions 1.1, 1.2, …: each is the one before after some edits, moves, copies, removals and additions.</summary>
    public static Gen<SmallSite[]> Histories(int versions) => Gen.Int.Select(seed =>
    {
        var random = new Random(seed);
        var files = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        var history = new SmallSite[versions];
        for (var i = 0; i < versions; i++)
        {
            for (var changes = random.Next(i == 0 ? 8 : 5); changes >= 0; changes--)
            {
                Change(files, random);
            }

            history[i] = new SmallSite((ulong)i + 1, new SortedDictionary<string, byte[]>(files, StringComparer.Ordinal));
        }

        return history;
    });

    public MemoryStream Open(ContentHash hash) => new(Contents[hash], writable: false);

    /// <summary>The pack from <paramref name="from"/> (null: from nothing) to this version, as a capture would make it.</summary>
    public async Task<string> PackFromAsync(SmallSite? from, PackSamples samples)
    {
        var path = samples.NewPath();
        await using var output = File.Create(path);
        await using var writer = new PackWriter(output, new PackHeader("wiki", from?.Version.Id ?? default, from?.Manifest.Root ?? default, Version.Id, Partial: false));
        foreach (var (name, content) in files)
        {
            var hash = PackSamples.Hash(content);
            if (from?.Contents.ContainsKey(hash) == true || writer.Contains(hash))
            {
                continue;
            }

            // The old content at the same path, or under the name a move left (edited on the way), is the basis.
            byte[]? basis = null;
            _ = from?.files.TryGetValue(name, out basis) == true || from?.files.TryGetValue(name.Replace("moved-", "", StringComparison.Ordinal), out basis) == true;
            var signature = basis is null ? null : (await BlockSignature.SignAsync(new MemoryStream(basis), basis.Length, Key, CancellationToken.None)).Signature;
            await using var blob = writer.BeginBlob();
            await FileDelta.EncodeAsync(new MemoryStream(content), signature, Key, blob.Delta, CancellationToken.None);
            await blob.CompleteAsync(hash, basis is null ? default : PackSamples.Hash(basis), content.Length);
        }

        await writer.CompleteAsync(Version, Manifest.Diff(from?.Manifest ?? Manifest.Empty, Manifest), CancellationToken.None);
        return path;
    }

    /// <summary>Applies a pack to a site (null: to nothing), checking every content and the root, and asserts that this site comes out.</summary>
    public async Task AssertIsAsync(SmallSite? from, string pack)
    {
        using var reader = PackReader.Open(pack);
        Assert.Equal(from?.Version.Id ?? default, reader.Header.From);
        Assert.Equal(Version, reader.Version);
        Assert.False(reader.Header.Partial);

        var manifest = (from?.Manifest ?? Manifest.Empty).Apply(reader.ReadChanges());
        Assert.Equal(Manifest.Entries, manifest.Entries);
        Assert.Equal(Manifest.Root, manifest.Root);
        foreach (var entry in manifest.Entries.Where(entry => entry.Type == EntryType.File))
        {
            if (from?.Contents.ContainsKey(entry.Hash) == true)
            {
                continue;
            }

            var blob = reader.Find(entry.Hash) ?? throw new InvalidOperationException($"The pack brings no content for {entry.Path}.");
            await using Stream basis = blob.Basis.IsNone ? Stream.Null : from!.Open(blob.Basis);
            await using var delta = reader.OpenDelta(entry.Hash);
            using var target = new MemoryStream();
            await FileDelta.ApplyAsync(basis, delta, target, blob.Size, CancellationToken.None);
            Assert.Equal(Contents[entry.Hash], target.ToArray());
            Assert.Equal(entry.Size, blob.Size);
        }
    }

    private static void Change(SortedDictionary<string, byte[]> files, Random random)
    {
        var name = $"file-{random.Next(6)}";
        var old = files.Count == 0 ? null : files.ElementAt(random.Next(files.Count)).Key;
        switch (random.Next(old is null ? 1 : 6))
        {
            case 0:
                files[name] = PackSamples.Noise(random.Next(4) == 0 ? random.Next(60_000) : random.Next(10), random.Next(5));
                break;
            case 1:
            case 2:
                files[old!] = Edited(files[old!], random);
                break;
            case 3:
                files["moved-" + name] = random.Next(2) == 0 ? files[old!] : Edited(files[old!], random);
                files.Remove(old!);
                break;
            case 4:
                files["copy-" + name] = files[old!];
                break;
            default:
                files.Remove(old!);
                break;
        }
    }

    private static byte[] Edited(byte[] content, Random random)
    {
        var at = random.Next(content.Length + 1);
        var end = Math.Min(content.Length, at + random.Next(3000));
        return [.. content[..at], .. PackSamples.Noise(random.Next(3000), random.Next()), .. content[end..]];
    }
}
