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
        (VersionId To, long Offset) found = default;
        foreach (var part in Directory.GetFiles(directory, "*" + partSuffix))
        {
            var name = Path.GetFileName(part)[..^partSuffix.Length];
            if (name.StartsWith(prefix, StringComparison.Ordinal) && VersionId.TryParse(name[prefix.Length..], out var to) && !to.IsNone && found.To.IsNone)
            {
                found = (to, PackReader.SafePrefix(part));
                continue;
            }

            File.Delete(part);
        }

        return found;
    }

    /// <summary>Checks a whole pack and gives it its name. One that cannot be used is removed.</summary>
    /// <exception cref="PackFormatException"/>
    /// <exception cref="InvalidDataException">It leads on from another version than the newest stored.</exception>
    public void Accept(string part)
    {
        try
        {
            var pack = Read(part);
            lock (gate)
            {
                if (!pack.From.IsNone && pack.From != lastId)
                {
                    throw new InvalidDataException($"The pack {Path.GetFileName(part)} leads from {pack.From}; the newest version stored is {lastId}.");
                }

                var path = Path.Combine(directory, $"{pack.From}-{pack.To}{packSuffix}");
                PackFile.Publish(part, path);
                if (pack.From.IsNone)
                {
                    // A fill stands on its own; what waited led elsewhere.
                    DeleteWaiting();
                }

                waiting.Enqueue(pack with { Path = path });
                (lastId, lastRoot) = (pack.To, pack.ToRoot);
            }
        }
        catch (Exception failure) when (failure is PackFormatException or InvalidDataException)
        {
            File.Delete(part);
            throw;
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

    /// <summary>
    /// Drops a pack that could not be applied, and all that lead on from it; a fill comes next. Packs before it stay: when the store had to give up what it had staged,
    /// they are waiting again, because what they bring was reported as safe.
    /// </summary>
    public void Refuse(InboxPack refused, VersionRecord? head)
    {
        lock (gate)
        {
            DeleteWaiting();
            File.Delete(refused.Path);
            foreach (var part in Directory.GetFiles(directory, "*" + partSuffix))
            {
                File.Delete(part);
            }

            Reload(head);
        }
    }

    private void DeleteWaiting()
    {
        foreach (var pack in waiting)
        {
            File.Delete(pack.Path);
        }

        waiting.Clear();
    }

    private void Reload(VersionRecord? head)
    {
        (lastId, lastRoot) = (head?.Id ?? default, head?.Root ?? default);
        var packs = Directory.GetFiles(directory, "*" + packSuffix).Select(TryRead).OfType<InboxPack>().Where(pack => pack.To > lastId).ToList();
        while (true)
        {
            // Of two that lead on from here, the newer reign's is the one that was received last.
            var next = packs.Where(pack => pack.From == lastId && !lastId.IsNone).MaxBy(pack => pack.To)
                ?? packs.Where(pack => pack.From.IsNone).MaxBy(pack => pack.To);
            if (next is null)
            {
                return;
            }

            packs.RemoveAll(pack => pack.To <= next.To);
            waiting.Enqueue(next);
            (lastId, lastRoot) = (next.To, next.ToRoot);
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
