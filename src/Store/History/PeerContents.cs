using System.Globalization;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>A content that came from a peer.</summary>
/// <param name="PassedBy">What was wrong with those who were asked before.</param>
internal sealed record LentContent(string Peer, IReadOnlyList<string> PassedBy);

/// <summary>
/// Contents that no local way leads to, fetched from peers for one piece of work. They come in packs of a bounded number of contents, which lie in a scratch directory until each was
/// used once. A content is believed when its SHA-256 is right: a peer that sends another is passed by for that content, one that goes away or sends what is no pack for all that follow,
/// and the next is asked. Safe for several threads; one fetches at a time.
/// </summary>
internal sealed class PeerContents(IContentPeers peers, string site) : IDisposable
{
    private const int MostInQuestion = 16_384;
    private const int MostInPack = 2048;

    /// <summary>Of contents in a pack; one that is larger comes alone.</summary>
    private const long MostBytesInPack = 64 << 20;

    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly IReadOnlyList<string> names = peers.Names;
    private readonly Dictionary<string, string> lost = [];
    private readonly HashSet<(string Peer, ContentHash Hash)> passedBy = [];
    private readonly Dictionary<ContentHash, FetchedPack> fetched = [];
    private readonly HashSet<ContentHash> written = [];
    private readonly Dictionary<string, Queue<WantedContent>> expected = [];
    private readonly Dictionary<string, PeerShare> shares = [];
    private int packs;

    /// <summary>Where packs lie while they are used; made when it is needed.</summary>
    public string Scratch { get; set; } = "";

    /// <summary>What each contributed, in the order they were asked.</summary>
    public IReadOnlyList<PeerShare> Shares
    {
        get
        {
            lock (shares)
            {
                return [.. names.Select(name => shares.GetValueOrDefault(name)).OfType<PeerShare>()];
            }
        }
    }

    /// <summary>The largest pack that lies in the scratch directory at a time, at least, for these contents.</summary>
    public static long RoomFor(IEnumerable<WantedContent> wanted)
    {
        long sum = 0, largest = 0;
        foreach (var content in wanted)
        {
            sum += content.Size;
            largest = Math.Max(largest, content.Size);
        }

        return Math.Min(sum, Math.Max(largest, MostBytesInPack));
    }

    /// <summary>Asks who has these contents, so that they are fetched together later. What is not in the answer nobody who could be asked has.</summary>
    /// <returns>From whom each would come.</returns>
    public async Task<IReadOnlyDictionary<ContentHash, string>> LocateAsync(IReadOnlyList<WantedContent> wanted, CancellationToken cancellation)
    {
        var found = new Dictionary<ContentHash, string>();
        foreach (var peer in names)
        {
            var open = wanted.Where(content => !found.ContainsKey(content.Hash)).DistinctBy(content => content.Hash).ToList();
            foreach (var part in open.Chunk(MostInQuestion))
            {
                if (lost.ContainsKey(peer))
                {
                    break;
                }

                try
                {
                    var has = await peers.FindAsync(peer, [.. part.Select(content => content.Hash)], cancellation);
                    foreach (var content in part)
                    {
                        if (has.Contains(content.Hash))
                        {
                            found.Add(content.Hash, peer);
                            Expect(peer, content);
                        }
                        else
                        {
                            passedBy.Add((peer, content.Hash));
                        }
                    }
                }
                catch (PeerException error)
                {
                    Lose(peer, error.Message);
                }
            }
        }

        return found;
    }

    /// <summary>Why peers did not answer, or are asked no longer: one sentence for an error, or nothing.</summary>
    public string DescribeLost() => lost.Count == 0 ? "" : $" Asked in vain: {string.Join("; ", lost.Select(pair => $"{pair.Key} ({pair.Value.TrimEnd('.')})"))}.";

    /// <returns>Null when nobody has the content; <paramref name="destination"/> is empty then.</returns>
    /// <param name="destination">Empty; seekable.</param>
    public async Task<LentContent?> TryWriteAsync(ContentHash hash, long size, Stream destination, CancellationToken cancellation)
    {
        await turn.WaitAsync(cancellation);
        try
        {
            var faults = new List<string>();
            while (true)
            {
                cancellation.ThrowIfCancellationRequested();
                if (fetched.Remove(hash, out var pack))
                {
                    var fault = await TryTakeAsync(pack, hash, size, destination, cancellation);
                    if (fault is null)
                    {
                        written.Add(hash);
                        var known = shares.GetValueOrDefault(pack.Peer) ?? new PeerShare(pack.Peer, 0, 0);
                        lock (shares)
                        {
                            shares[pack.Peer] = known with { Contents = known.Contents + 1, Bytes = known.Bytes + size };
                        }

                        return new LentContent(pack.Peer, faults);
                    }

                    faults.Add($"{pack.Peer}: {fault}");
                    passedBy.Add((pack.Peer, hash));
                    destination.SetLength(0);
                    destination.Position = 0;
                }
                else if (names.FirstOrDefault(peer => !lost.ContainsKey(peer) && !passedBy.Contains((peer, hash))) is not { } next)
                {
                    return null;
                }
                else if (await FetchAsync(next, BatchFor(next, new WantedContent(hash, size)), cancellation) is { } failure)
                {
                    faults.Add($"{next}: {failure}");
                }
            }
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>A version's manifest by its root; null when nobody has it.</summary>
    public async Task<Manifest?> FindManifestAsync(VersionRecord version, CancellationToken cancellation)
    {
        // An entry takes a tenth of this; attributes may make it longer.
        var most = (64L << 20) + (version.Entries * 4096);
        foreach (var peer in names)
        {
            try
            {
                using var pack = await ReceiveAsync(output => peers.FetchAsync(peer, version.Id, [], output, most, cancellation));
                if (pack.Header.From.IsNone && pack.Version.Id == version.Id && Manifest.Empty.Apply(pack.ReadChanges()) is { } manifest && manifest.Root == version.Root)
                {
                    return manifest;
                }
            }
            catch (Exception error) when (error is PeerException or PackFormatException or InvalidDataException)
            {
                Lose(peer, error.Message);
            }
        }

        return null;
    }

    public void Dispose()
    {
        foreach (var pack in fetched.Values.Distinct())
        {
            pack.Dispose();
        }

        turn.Dispose();
    }

    /// <summary>This content, and with it what is expected from the same peer.</summary>
    private List<WantedContent> BatchFor(string peer, WantedContent first)
    {
        var batch = new List<WantedContent> { first };
        var bytes = first.Size;
        for (var queue = expected.GetValueOrDefault(peer); queue is not null && batch.Count < MostInPack && queue.TryPeek(out var further); queue.Dequeue())
        {
            if (further.Hash == first.Hash || written.Contains(further.Hash) || fetched.ContainsKey(further.Hash) || passedBy.Contains((peer, further.Hash)))
            {
                continue;
            }

            if ((bytes += further.Size) > MostBytesInPack)
            {
                break;
            }

            batch.Add(further);
        }

        return batch;
    }

    /// <summary>What the peer did not send it is not asked for again. Null, or why it is not asked for anything again.</summary>
    private async Task<string?> FetchAsync(string peer, List<WantedContent> batch, CancellationToken cancellation)
    {
        PackReader? pack = null;
        try
        {
            // What does not compress takes a little more than it is long.
            var most = batch.Sum(content => content.Size + (content.Size / 64) + 1024) + (1 << 20);
            pack = await ReceiveAsync(output => peers.FetchAsync(peer, default, [.. batch.Select(content => content.Hash)], output, most, cancellation));
            if (!pack.Header.From.IsNone || pack.Header.Site != site)
            {
                throw new PeerException($"it sent a pack of {pack.Header.Site} from {pack.Header.From}, which nobody asked for");
            }

            var got = new FetchedPack(peer, pack, batch.Count);
            pack = null;
            foreach (var content in batch)
            {
                if (got.Reader.Find(content.Hash) is { } blob && blob.Basis.IsNone && blob.Size == content.Size)
                {
                    fetched.Add(content.Hash, got);
                }
                else
                {
                    passedBy.Add((peer, content.Hash));
                    Reassign(content);
                    got.Used();
                }
            }

            return null;
        }
        catch (Exception error) when (error is PeerException or PackFormatException)
        {
            pack?.Dispose();
            Lose(peer, error.Message);
            foreach (var content in batch.Skip(1).Concat(expected.Remove(peer, out var queue) ? queue : []))
            {
                Reassign(content);
            }

            return error.Message;
        }
    }

    /// <summary>Null when it was written; else what is wrong with it.</summary>
    private static async Task<string?> TryTakeAsync(FetchedPack pack, ContentHash hash, long size, Stream destination, CancellationToken cancellation)
    {
        try
        {
            await using var delta = pack.Reader.OpenDelta(hash);
            var (length, sha256) = await FileDelta.ApplyAsync(Stream.Null, delta, destination, size, cancellation);
            return length == size && ContentHash.From(sha256) == hash ? null : $"what it sent as {hash} has the SHA-256 {Convert.ToHexStringLower(sha256)}";
        }
        catch (Exception error) when (error is PackFormatException or DeltaFormatException)
        {
            return $"what it sent as {hash} cannot be read: {error.Message}";
        }
        finally
        {
            pack.Used();
        }
    }

    /// <summary>The file has no name any more when this returns: it goes with its reader, whatever ends the work.</summary>
    private async Task<PackReader> ReceiveAsync(Func<Stream, Task> write)
    {
        Directory.CreateDirectory(Scratch);
        var path = Path.Combine(Scratch, $"lent-{(packs++).ToString(CultureInfo.InvariantCulture)}.pack");
        try
        {
            await using (var output = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16, FileOptions.Asynchronous))
            {
                await write(output);
            }

            return PackReader.Open(path);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private void Expect(string peer, WantedContent content)
    {
        if (!expected.TryGetValue(peer, out var queue))
        {
            expected.Add(peer, queue = new Queue<WantedContent>());
        }

        queue.Enqueue(content);
    }

    private void Reassign(WantedContent content)
    {
        if (names.FirstOrDefault(peer => !lost.ContainsKey(peer) && !passedBy.Contains((peer, content.Hash))) is { } next)
        {
            Expect(next, content);
        }
    }

    private void Lose(string peer, string reason) => lost.TryAdd(peer, reason);

    /// <summary>Goes when each of its contents was used.</summary>
    private sealed class FetchedPack(string peer, PackReader reader, int contents) : IDisposable
    {
        private int left = contents;

        public string Peer => peer;

        public PackReader Reader => reader;

        public void Used()
        {
            if (--left == 0)
            {
                Dispose();
            }
        }

        public void Dispose() => reader.Dispose();
    }
}
