using System.Security.Cryptography;
using System.Text;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Store.Tests.Packs;

/// <summary>Packs, entries and records made by hand, in a directory of their own that goes with the test.</summary>
internal sealed class PackSamples : IDisposable
{
    public static readonly VersionId One = new(1, 1);
    public static readonly VersionId Two = new(1, 2);
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("mirror-packs-");
    private int files;

    public static PackHeader Header(bool fromNothing = false, bool partial = false) =>
        new("wiki", fromNothing ? default : One, fromNothing ? default : Hash("root of 1.1"), Two, partial);

    public static VersionRecord Version(VersionId? id = null, ContentHash? root = null) => new(
        "wiki", id ?? Two, One, new DateTimeOffset(2024, 2, 29, 12, 0, 0, TimeSpan.Zero).AddTicks(7), "node-1",
        root ?? Hash("root"), 3, 4711, ["pages"], Hash("chain"));

    public static ContentHash Hash(string text) => Hash(Encoding.UTF8.GetBytes(text));

    public static ContentHash Hash(ReadOnlySpan<byte> content) => ContentHash.From(SHA256.HashData(content));

    public static Entry File(string path, byte[] content) => new()
    {
        Path = EntryPath.Parse(path), Type = EntryType.File, Mode = 0x1A4, Size = content.Length, Hash = Hash(content), MtimeUnixNs = 1_700_000_000_123_456_789,
    };

    public static Entry Folder(string path) => new() { Path = EntryPath.Parse(path), Type = EntryType.Directory, Mode = 0x1ED };

    /// <summary>Bytes that do not compress, the same for a seed.</summary>
    public static byte[] Noise(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public string NewPath() => Path.Combine(directory.FullName, $"{++files}.pack");

    /// <summary>A pack with these bytes as blobs, under their own hashes, and these changes.</summary>
    public async Task<string> WriteAsync(IEnumerable<byte[]> blobs, ManifestDelta? changes = null, PackHeader? header = null, PackKey? key = null)
    {
        var path = NewPath();
        await using var output = System.IO.File.Create(path);
        await using var writer = new PackWriter(output, header ?? Header(), key);
        foreach (var bytes in blobs)
        {
            await using var blob = writer.BeginBlob();
            await blob.Delta.WriteAsync(bytes);
            await blob.CompleteAsync(Hash(bytes), default, bytes.Length);
        }

        await writer.CompleteAsync(Version(), changes ?? new ManifestDelta([], []), CancellationToken.None);
        return path;
    }

    public Task<string> WriteSmallAsync(PackKey? key = null) => WriteAsync(
        [Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("The quick brown fox. ", 8))), Noise(60, 1)],
        new ManifestDelta([Folder(""), Folder("pages"), File("pages/home", Noise(60, 1))], [EntryPath.Parse("pages/old")]),
        key: key);

    public string Save(byte[] bytes)
    {
        var path = NewPath();
        System.IO.File.WriteAllBytes(path, bytes);
        return path;
    }

    /// <summary>Everything a pack says, read through and through, as one text: equal texts are equal packs.</summary>
    public static string MeaningOf(string path, params PackKey[] keys)
    {
        using var reader = PackReader.Open(path, keys);
        reader.VerifyFrames(CancellationToken.None);
        var text = new StringBuilder();
        text.AppendLine(reader.Header.ToString());
        text.AppendLine($"{reader.Version} {string.Join(',', reader.Version.Dumps)}");
        var changes = reader.ReadChanges();
        foreach (var entry in changes.Put)
        {
            text.AppendLine($"{entry} {Convert.ToHexString(entry.LinkTarget)}");
        }

        text.AppendJoin(' ', changes.Removed).AppendLine();
        foreach (var blob in reader.Blobs)
        {
            text.AppendLine($"{blob} {Convert.ToHexString(ReadBlob(reader, blob.Hash))}");
        }

        return text.ToString();
    }

    public static byte[] ReadBlob(PackReader reader, ContentHash hash)
    {
        using var delta = reader.OpenDelta(hash);
        using var bytes = new MemoryStream();
        delta.CopyTo(bytes);
        return bytes.ToArray();
    }

    /// <summary>Removes the packs made so far: a property makes thousands.</summary>
    public void Clear()
    {
        foreach (var file in directory.GetFiles())
        {
            file.Delete();
        }
    }

    public void Dispose() => directory.Delete(recursive: true);
}
