using System.Globalization;
using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Store.Retention;

/// <summary>A pack that is to be read cannot be: what depends on it stays as it is.</summary>
internal sealed class UnreadableRunException(string message) : StoreException(message);

/// <summary>
/// Makes one pack of a run of many. Halves are folded first and then joined, so every byte is rewritten as often as the number of packs can be halved, and not once for each pack that follows.
/// </summary>
internal sealed class PackFold(PackCatalogue catalogue, string scratch)
{
    private int files;

    /// <param name="start">The manifest the run begins with; empty when from nothing.</param>
    /// <param name="output">Receives the pack.</param>
    /// <exception cref="UnreadableRunException"/>
    public async Task RunAsync(PackRun run, Manifest start, Stream output, CancellationToken cancellation)
    {
        try
        {
            using var first = await FoldAsync(run.Packs, 0, run.Packs.Count / 2, start, cancellation);
            using var second = await FoldAsync(run.Packs, run.Packs.Count / 2, run.Packs.Count, start.Apply(first.Reader.ReadChanges()), cancellation);
            await PackAlgebra.ComposeAsync(first.Reader, second.Reader, start, output, cancellation);
        }
        catch (Exception error) when (error is PackFormatException or Delta.DeltaFormatException or InvalidDataException or ArgumentException or MissingContentException)
        {
            throw new UnreadableRunException($"The packs from {run.From} to {run.To} cannot be joined: {error.Message}");
        }
    }

    private async Task<Part> FoldAsync(IReadOnlyList<PackRow> packs, int begin, int end, Manifest start, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (end - begin == 1)
        {
            return new Part(catalogue.TryOpen(packs[begin])
                ?? throw new UnreadableRunException($"The pack {catalogue.PathOf(packs[begin])} cannot be read.{catalogue.DescribeDamage()}"), null);
        }

        var middle = begin + ((end - begin) / 2);
        using var first = await FoldAsync(packs, begin, middle, start, cancellation);
        using var second = await FoldAsync(packs, middle, end, start.Apply(first.Reader.ReadChanges()), cancellation);
        var path = Path.Combine(scratch, $"part-{(files++).ToString(CultureInfo.InvariantCulture)}");
        try
        {
            await using (var joined = new FileStream(path, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 256 * 1024))
            {
                await PackAlgebra.ComposeAsync(first.Reader, second.Reader, start, joined, cancellation);
            }

            return new Part(PackReader.Open(path), path);
        }
        catch
        {
            File.Delete(path);
            throw;
        }
    }

    /// <summary>A pack of the history, or one that lives no longer than the fold.</summary>
    private sealed class Part(PackReader reader, string? temporary) : IDisposable
    {
        public PackReader Reader => reader;

        public void Dispose()
        {
            reader.Dispose();
            if (temporary is not null)
            {
                File.Delete(temporary);
            }
        }
    }
}
