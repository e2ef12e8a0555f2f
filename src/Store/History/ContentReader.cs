using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;

namespace Mirror.Store.History;

/// <summary>
/// Yields contents as a plan says, each checked by SHA-256. A content some deltas away is made in one pass: the deltas are composed first. What turns out to be damaged is
/// blamed, so that the next plan goes round it. Not for several threads at once: each has a reader of its own.
/// </summary>
internal sealed class ContentReader(ContentPlan plan, string scratch) : IDisposable
{
    private const int MostOpenPacks = 64;

    /// <summary>Contents up to this length are read whole, and deltas of such contents stay in memory.</summary>
    internal const int SmallLength = 1 << 20;

    private readonly Dictionary<string, PackReader> open = [];
    private readonly TreeSources trees = new(plan);
    private int scratchFiles;

    /// <returns>False when no way is left; <paramref name="destination"/> is empty then.</returns>
    /// <param name="destination">Empty; seekable.</param>
    public async Task<bool> TryWriteAsync(ContentHash hash, long size, Stream destination, CancellationToken cancellation)
    {
        List<string>? blamed = null;
        while (plan.Find(hash) is { } way)
        {
            cancellation.ThrowIfCancellationRequested();
            if (await TryFollowAsync(way, hash, size, destination, cancellation) is not { } fault)
            {
                blamed?.ForEach(damaged => plan.NoteDetour(damaged, way));
                return true;
            }

            (blamed ??= []).Add(fault);
            destination.SetLength(0);
            destination.Position = 0;
        }

        if (plan.Peers is not { } peers || await peers.TryWriteAsync(hash, size, destination, cancellation) is not { } lent)
        {
            return false;
        }

        foreach (var passed in lent.PassedBy.Concat(blamed ?? []))
        {
            plan.NoteDetour(passed, $"the node {lent.Peer}");
        }

        return true;
    }

    public void Dispose()
    {
        ClosePacks();
        trees.Dispose();
    }

    /// <summary>One attempt. When it fails, what was to blame is out of the next plan, and is said.</summary>
    private async Task<string?> TryFollowAsync(ContentWay way, ContentHash hash, long size, Stream destination, CancellationToken cancellation)
    {
        SafeFileHandle? file = null;
        if (way.File is { } source && (file = trees.TryOpen(way.Tree!, source)) is null)
        {
            return trees.Blame(way, "is gone");
        }

        using (file)
        {
            if (way.Steps.Count == 0)
            {
                return await trees.TryCopyAsync(way, file!, hash, size, destination, cancellation) ? null : trees.Blame(way, "is not what its manifest says");
            }

            await using var basis = file is null ? Stream.Null : trees.Reading(way, file);
            var (done, fault) = way.Steps.Count == 1
                ? (false, null)
                : await TryComposedAsync(way, basis, hash, size, destination, cancellation);
            return done || fault is not null ? fault : await TryStepsAsync(way, basis, destination, cancellation);
        }
    }

    /// <summary>All steps as one. Neither done nor a fault: the deltas do not come out right together, and only one after another shows which of them is to blame.</summary>
    private async Task<(bool Done, string? Fault)> TryComposedAsync(
        ContentWay way, Stream basis, ContentHash hash, long size, Stream destination, CancellationToken cancellation)
    {
        using var chain = new DeltaChain(NewScratch);
        var scratchContents = new List<Stream>();
        try
        {
            // A whole content that starts the row is not dragged through the compositions: it is joined when all else is one.
            var whole = way.Steps[0].Blob.Basis.IsNone ? 1 : 0;
            foreach (var step in way.Steps.Skip(whole))
            {
                if (TryCopyDelta(step, cancellation) is not { } delta)
                {
                    return (false, FaultOf(step));
                }

                chain.Add(delta, step.Blob.Size, cancellation);
            }

            var from = basis;
            if (whole == 1)
            {
                from = NewScratch(way.Steps[0].Blob.Size);
                scratchContents.Add(from);
                if (await TryApplyAsync(way.Steps[0], Stream.Null, from, cancellation) is { } fault)
                {
                    return (false, fault);
                }
            }

            var links = chain.Finish(cancellation);
            for (var at = 0; at < links.Count; at++)
            {
                var last = at == links.Count - 1;
                var to = last ? destination : NewScratch(links[at].Yields);
                if (!last)
                {
                    scratchContents.Add(to);
                }

                from.Position = 0;
                links[at].Delta.Position = 0;
                var (length, sha256) = await FileDelta.ApplyAsync(from, links[at].Delta, to, links[at].Yields, cancellation);
                if (last && length == size && ContentHash.From(sha256) == hash)
                {
                    return (true, null);
                }

                from = to;
            }
        }
        catch (Exception error) when (error is DeltaFormatException or DamagedContentException)
        {
            // One of them is malformed, or the tree's file cannot be read; below it shows which.
        }
        finally
        {
            foreach (var content in scratchContents)
            {
                await content.DisposeAsync();
            }
        }

        destination.SetLength(0);
        destination.Position = 0;
        return (false, way.File is { } source && !await TreeSources.IsIntactAsync(basis, source, cancellation) ? trees.Blame(way, "is not what its manifest says") : null);
    }

    /// <summary>One step after another, each checked by its SHA-256.</summary>
    private async Task<string?> TryStepsAsync(ContentWay way, Stream basis, Stream destination, CancellationToken cancellation)
    {
        var from = basis;
        try
        {
            for (var i = 0; i < way.Steps.Count; i++)
            {
                var last = i == way.Steps.Count - 1;
                var to = last ? destination : NewScratch(way.Steps[i].Blob.Size);

                // The basis from the tree was not checked on the way: it may be the one to blame, and costs one reading to clear.
                async ValueTask<bool> IsBasisRight() => i > 0 || way.File is not { } source || await TreeSources.IsIntactAsync(basis, source, cancellation);
                var fault = await TryApplyAsync(way.Steps[i], from, to, cancellation, IsBasisRight);
                if (from != basis)
                {
                    await from.DisposeAsync();
                }

                from = last ? basis : to;
                if (fault is not null)
                {
                    return fault.Length > 0 ? fault : trees.Blame(way, "is not what its manifest says");
                }
            }

            return null;
        }
        finally
        {
            if (from != basis)
            {
                await from.DisposeAsync();
            }
        }
    }

    /// <returns>Null when the step came out right; empty when its basis is wrong; else what is wrong with the blob, which was reported.</returns>
    private async Task<string?> TryApplyAsync(ContentStep step, Stream basis, Stream output, CancellationToken cancellation, Func<ValueTask<bool>>? isBasisRight = null)
    {
        string reason;
        try
        {
            if (Open(step) is not { } pack)
            {
                return FaultOf(step);
            }

            basis.Position = 0;
            await using var delta = Reading(pack, step.Blob.Hash);
            var (length, sha256) = await FileDelta.ApplyAsync(basis, delta, output, step.Blob.Size, cancellation);
            if (length == step.Blob.Size && ContentHash.From(sha256) == step.Blob.Hash)
            {
                return null;
            }

            reason = $"the content {step.Blob.Hash} comes out wrong";
        }
        catch (Exception error) when (error is PackFormatException or DeltaFormatException or DamagedContentException)
        {
            reason = error.Message;
        }

        if (isBasisRight is not null && !await isBasisRight())
        {
            return "";
        }

        plan.Catalogue.Report(step.Pack, step.Blob.Hash, reason);
        return FaultOf(step);
    }

    /// <summary>A delta of its own, whole and with good checksums; null when it cannot be read, which is reported.</summary>
    private Stream? TryCopyDelta(ContentStep step, CancellationToken cancellation)
    {
        if (Open(step) is not { } pack)
        {
            return null;
        }

        var copy = NewScratch(step.Blob.StoredBytes);
        try
        {
            cancellation.ThrowIfCancellationRequested();
            using var delta = Reading(pack, step.Blob.Hash);
            delta.CopyTo(copy);
            copy.Position = 0;
            return copy;
        }
        catch (PackFormatException error)
        {
            plan.Catalogue.Report(step.Pack, step.Blob.Hash, error.Message);
            copy.Dispose();
            return null;
        }
        catch
        {
            copy.Dispose();
            throw;
        }
    }

    private string FaultOf(ContentStep step) => plan.Catalogue.FaultOf(step.Pack, step.Blob.Hash);

    private SourceStream Reading(PackReader pack, ContentHash hash) => new(
        pack.OpenDelta(hash), pack.Path, plan.Catalogue.Reads, error => new PackFormatException($"{pack.Path} cannot be read: {error.Message}"));

    /// <summary>For a content, or a delta, of about this length.</summary>
    private Stream NewScratch(long length)
    {
        if (length <= SmallLength)
        {
            return new MemoryStream();
        }

        Directory.CreateDirectory(scratch);
        var name = Path.Combine(scratch, (scratchFiles++).ToString(CultureInfo.InvariantCulture));
        return new FileStream(name, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 64 * 1024, FileOptions.DeleteOnClose);
    }

    private PackReader? Open(ContentStep step)
    {
        if (open.TryGetValue(step.Pack.File, out var known))
        {
            return known;
        }

        if (open.Count == MostOpenPacks)
        {
            ClosePacks();
        }

        if (plan.Catalogue.TryOpen(step.Pack) is not { } pack)
        {
            return null;
        }

        if (pack.Find(step.Blob.Hash) is null)
        {
            // Another pack took its name since it was listed: neither is to be believed.
            pack.Dispose();
            plan.Catalogue.Report(step.Pack, step.Blob.Hash, "it no longer has a blob it had");
            return null;
        }

        open.Add(step.Pack.File, pack);
        return pack;
    }

    private void ClosePacks()
    {
        foreach (var pack in open.Values)
        {
            pack.Dispose();
        }

        open.Clear();
    }
}
