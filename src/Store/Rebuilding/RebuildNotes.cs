using Mirror.Store.Manifests;
using Mirror.Store.Slots;
using Mirror.Store.Versions;

namespace Mirror.Store.Rebuilding;

/// <summary>
/// Keeps beside the index what a rebuild needs and packs and slots do not say: <see cref="StoreFacts"/> and the <see cref="ManifestTrail"/>. Follows each transaction and is
/// durable before it: what it says too early is believed by nobody while the index is there, and put right when the store is next opened.
/// </summary>
internal sealed class RebuildNotes(string directory)
{
    private StoreFacts? facts;
    private ManifestTrail? trail;
    private VersionRecord? head;

    /// <summary>Knows from here on what the index says; writes nothing.</summary>
    public void Know(IndexContents contents)
    {
        facts = StoreFacts.Of(contents);
        head = contents.HeadRecord;
        trail ??= new ManifestTrail(directory, contents.Site);
    }

    /// <summary>After <see cref="Know"/>: makes the disk say the same, wherever it does not.</summary>
    public void Mend(IStoreDisk disk, IndexContents contents)
    {
        if (StoreFacts.Read(directory, out _)?.Text() != facts!.Text())
        {
            facts.Write(disk, directory);
        }

        foreach (var left in Directory.EnumerateFiles(trail!.Directory, "*.tmp"))
        {
            disk.DeleteFile("manifests: delete half-written", left);
        }

        trail.ForgetAfter(disk, head?.Id ?? default);
        if (head is not null && !trail.LeadsTo(head))
        {
            trail.Begin(disk, head, contents.HeadManifest);
        }
    }

    /// <param name="said">What the transaction changes; it is not yet committed.</param>
    /// <param name="manifest">The head's manifest as the transaction leaves it.</param>
    public void Follow(IStoreDisk disk, IndexChange said, Func<VersionId, VersionRecord> recordOf, Func<Manifest> manifest)
    {
        if (said.Applied(facts!) is { } next)
        {
            next.Write(disk, directory);
            facts = next;
        }

        if (said.Head is not { } id)
        {
            return;
        }

        var to = id.IsNone ? null : recordOf(id);
        if (to is not null && to != head)
        {
            var after = head is not null && to.Id > head.Id;
            trail!.Append(disk, after ? head : null, to, said.Entries, manifest);
            if (!after)
            {
                trail.ForgetAfter(disk, to.Id);
            }
        }

        head = to;
    }
}
