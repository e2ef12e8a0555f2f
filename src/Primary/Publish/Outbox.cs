using Mirror.Primary.Capture;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Primary.Publish;

/// <summary>
/// Forward packs not yet everywhere, as an unbroken chain that ends at the head. Kept until every replica has stored them, within bounds: who falls farther behind
/// gets a fill. Safe for many readers; a pack being read by a stream may be deleted, the open file stays.
/// </summary>
public sealed class Outbox
{
    private const int mostPacks = 512;
    private const long mostBytes = 8L << 30;

    private readonly Lock gate = new();
    private readonly string directory;
    private readonly LinkedList<OutboxPack> chain = new();

    /// <summary>Opens what is there: whole packs that lead to <paramref name="head"/> stay, everything else (of an interrupted capture, or another reign) goes.</summary>
    public Outbox(string directory, VersionRecord? head)
    {
        this.directory = directory;
        Directory.CreateDirectory(directory);
        var found = new Dictionary<(VersionId, ContentHash), OutboxPack>();
        foreach (var file in Directory.GetFiles(directory))
        {
            if (!file.EndsWith(".pack", StringComparison.Ordinal) || TryOpen(file) is not { } pack || !found.TryAdd((pack.To, pack.ToRoot), pack))
            {
                File.Delete(file);
            }
        }

        // By name and root: a pack of a capture that was never recorded may have the name of one that was.
        for (var at = (Id: head?.Id ?? default, Root: head?.Root ?? default); !at.Id.IsNone && found.Remove(at, out var pack); at = (pack.From, pack.FromRoot))
        {
            chain.AddFirst(pack);
        }

        foreach (var stray in found.Values)
        {
            File.Delete(stray.Path);
        }
    }

    public void Add(OutboxPack pack)
    {
        lock (gate)
        {
            if (chain.Last is { Value: var last } && last.To != pack.From)
            {
                throw new InvalidOperationException($"The outbox ends at {last.To}; a pack from {pack.From} does not follow.");
            }

            chain.AddLast(pack);
            long bytes = chain.Sum(item => item.Length);
            while (chain.Count > 1 && (chain.Count > mostPacks || bytes > mostBytes))
            {
                bytes -= chain.First!.Value.Length;
                RemoveFirst_NeedsLock();
            }
        }
    }

    /// <summary>The pack that leads on from a version; null when the chain does not pass there.</summary>
    public OutboxPack? After(VersionId version)
    {
        lock (gate)
        {
            return chain.FirstOrDefault(pack => pack.From == version);
        }
    }

    /// <summary>Bytes of the pack that leads to a version; 0 when it was given up.</summary>
    public long LengthOf(VersionId version)
    {
        lock (gate)
        {
            return chain.LastOrDefault(pack => pack.To == version)?.Length ?? 0;
        }
    }

    /// <summary>Gives up what every replica has. The newest pack stays, so that the chain keeps its end.</summary>
    public void Trim(VersionId storedEverywhere)
    {
        lock (gate)
        {
            while (chain.Count > 1 && chain.First!.Value.To <= storedEverywhere)
            {
                RemoveFirst_NeedsLock();
            }
        }
    }

    private void RemoveFirst_NeedsLock()
    {
        File.Delete(chain.First!.Value.Path);
        chain.RemoveFirst();
    }

    private static OutboxPack? TryOpen(string file)
    {
        try
        {
            using var reader = PackReader.Open(file);
            return new OutboxPack(reader.Header.From, reader.Header.FromRoot, reader.Header.To, reader.Version.Root, file, new FileInfo(file).Length);
        }
        catch (PackFormatException)
        {
            // Cut short by a crash before it was recorded: no version has this name.
            return null;
        }
    }
}
