using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Replica.Receive;

/// <param name="From">None for a fill.</param>
internal sealed record InboxPack(VersionId From, VersionId To, ContentHash ToRoot, string Path);

/// <summary>
/// Packs received whole and not yet staged, as a chain that leads on from the store's head; and at most one partly received. A file under its final name is complete,
/// checked and durable.
/// </summary>
internal sealed class Inbox
{
    private const string packSuffix = ".pack";
    private const string partSuffix = packSuffix + ".part";

    private readonly Lock gate = new();
    private readonly string directory;
    private readonly Queue<InboxPack> waiting = new();
    private VersionId lastId;
    private ContentHash lastRoot;

    public Inbox(string directory, VersionRecord? head)
    {
        this.directory = directory;
        Directory.CreateDirectory(directory);
        Reload(head);
    }

    /// <summary>Newest version safe on disk: the last of the chain, or the store's head.</summary>
    public (VersionId Id, ContentHash Root) Stored
    {
        get
        {
            lock (gate)
            {
                return (lastId, lastRoot);
            }
        }
    }

    /// <summary>Where a transfer of <paramref name="from"/>→<paramref name="to"/> is kept until it is whole.</summary>
    public string PartOf(VersionId from, VersionId to) => Path.Combine(directory, $"{from}-{to}{partSuffix}");

    /// <summary>The partly received pack that would follow now, and how much of it is whole frames. Any other part is removed.</summary>
    public (VersionId To, long Offset) Partial()
    {
        var prefix = $"{Stored.Id}-";
        foreach (var part in Directory.GetFiles(directory, "*" + partSuffix))
        {
            var name = Path.GetFileName(part)[..^partSuffix.Length];
            if (name.StartsWith(prefix, StringComparison.Ordinal) && VersionId.TryParse(name[prefix.Length..], out var to) && !to.IsNone)
            {
                return (to, PackReader.SafePrefix(part));
            }

            File.Delete(part);
        }

        return default;
    }

    /// <summary>Checks a whole pack and gives it its name.</summary>
    /// <exception cref="PackFormatException"/>
    public void Accept(string part)
    {
        var pack = Read(part);
        var path = Path.Combine(directory, $"{pack.From}-{pack.To}{packSuffix}");
        PackFile.Publish(part, path);
        lock (gate)
        {
            if (pack.From.IsNone)
            {
                // A fill stands on its own; what led elsewhere is obsolete.
                waiting.Clear();
            }

            waiting.Enqueue(pack with { Path = path });
            (lastId, lastRoot) = (pack.To, pack.ToRoot);
        }
    }

    public InboxPack? Peek()
    {
        lock (gate)
        {
            return waiting.TryPeek(out var pack) ? pack : null;
        }
    }

    /// <summary>The pack was staged. Its file stays until the store has flipped past it.</summary>
    public void Staged(InboxPack pack)
    {
        lock (gate)
        {
            if (waiting.TryPeek(out var first) && first == pack)
            {
                waiting.Dequeue();
            }
        }
    }

    /// <summary>Drops everything received, after a pack that could not be applied; a fill comes next.</summary>
    public void Clear(VersionRecord? head)
    {
        lock (gate)
        {
            waiting.Clear();
            (lastId, lastRoot) = (head?.Id ?? default, head?.Root ?? default);
        }

        foreach (var file in Directory.GetFiles(directory))
        {
            File.Delete(file);
        }
    }

    private void Reload(VersionRecord? head)
    {
        (lastId, lastRoot) = (head?.Id ?? default, head?.Root ?? default);
        var packs = Directory.GetFiles(directory, "*" + packSuffix).Select(TryRead).OfType<InboxPack>().Where(pack => pack.To > lastId).ToList();
        var byFrom = packs.Where(pack => !pack.From.IsNone).ToDictionary(pack => pack.From);
        if (!byFrom.ContainsKey(lastId) && packs.Where(pack => pack.From.IsNone).MaxBy(pack => pack.To) is { } fill)
        {
            Enqueue(fill);
        }

        while (byFrom.Remove(lastId, out var next))
        {
            Enqueue(next);
        }

        void Enqueue(InboxPack pack)
        {
            waiting.Enqueue(pack);
            (lastId, lastRoot) = (pack.To, pack.ToRoot);
        }
    }

    private static InboxPack? TryRead(string path)
    {
        try
        {
            return Read(path);
        }
        catch (PackFormatException)
        {
            // Damaged since it was received: it will be sent again.
            File.Delete(path);
            return null;
        }
    }

    private static InboxPack Read(string path)
    {
        using var reader = PackReader.Open(path);
        return new InboxPack(reader.Header.From, reader.Header.To, reader.Version.Root, path);
    }
}
