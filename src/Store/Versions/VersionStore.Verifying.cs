using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Rebuilding;
using Mirror.Store.Slots;

namespace Mirror.Store.Versions;

// Verifying: everything the store claims is compared with what is on its disk. Damage is a finding, not an exception.
public sealed partial class VersionStore
{
    private const int MostFindingsOfOneTree = 100;

    /// <summary>Checks the slots against their manifests (all contents when <paramref name="readData"/>), every pack, and the chain of version hashes. A live tree is its app's and is not looked at.</summary>
    public Task<IReadOnlyList<StoreFinding>> VerifyAsync(bool readData, IProgress<StoreProgress>? progress, CancellationToken cancellation) => Task.Run<IReadOnlyList<StoreFinding>>(
        async () =>
        {
            var findings = new List<StoreFinding>();
            if (state.Mode == StoreMode.Holding)
            {
                foreach (var slot in SlotPair.Names)
                {
                    findings.AddRange(await VerifySlotAsync(slot, readData, progress, cancellation));
                }
            }

            VerifyPacks(findings, progress, cancellation);
            VerifyChain(findings);
            VerifyIndex(findings);
            return findings;
        },
        cancellation);

    /// <summary>A slot is read without keeping others waiting; what looks wrong is looked at again in turn, since a stage may have been at work.</summary>
    private async Task<List<StoreFinding>> VerifySlotAsync(string slot, bool readData, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        try
        {
            var first = VerifySlot(slot, readData, progress, cancellation);
            if (first.Count == 0)
            {
                return first;
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Whatever vanished under the scan is settled below, where nothing moves.
            progress?.Report(new StoreProgress($"looking again at slot {slot}: {error.Message}", 0, 0));
        }

        return await InTurnAsync(() => Task.FromResult(VerifySlot(slot, readData, progress, cancellation)), cancellation);
    }

    private List<StoreFinding> VerifySlot(string slot, bool readData, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        var at = state;
        var tree = slots.PathOf(slot);
        if (!at.Slots.TryGetValue(slot, out var version))
        {
            return [];
        }

        var remedy = slot == at.CurrentSlot
            ? $"Restore {version} from a peer, or move the store {Directory} away while the node is stopped: it fetches the site again."
            : $"Stop the node and delete {tree}: it is made again from the other slot.";
        if (!slots.Exists(slot))
        {
            return [new StoreFinding($"{tree}, which holds {version}, is gone.", remedy)];
        }

        if (at.Find(version) is not { } row || FindManifest(at, row.Record) is not { } manifest)
        {
            return [new StoreFinding($"{tree} holds {version}, whose manifest cannot be had.{catalogue.DescribeDamage()}", remedy)];
        }

        var findings = new List<StoreFinding>();
        if (slots.ReadMarker(slot) is not { } marker || marker.Version != version.ToString() || marker.Root != row.Record.Root.ToString())
        {
            findings.Add(new StoreFinding($"{tree}.version does not say that the slot holds {version}.", "Nothing needs it while the index is whole; the next stage writes it again."));
        }

        var faults = new SlotVerification(tree, manifest, isPrivate, readData).Run(progress, cancellation);
        findings.AddRange(faults.Take(MostFindingsOfOneTree).Select(fault => new StoreFinding(
            $"{tree}/{fault.Path} of {version} {fault.Fault}.", fault.Fault == SlotVerification.Foreign ? $"Remove it: no version has it, and it goes with the slot. {remedy}" : remedy)));
        if (faults.Count > MostFindingsOfOneTree)
        {
            findings.Add(new StoreFinding($"{tree} has {faults.Count - MostFindingsOfOneTree} more differences from {version}.", remedy));
        }

        return findings;
    }

    private void VerifyPacks(List<StoreFinding> findings, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        var at = state;
        var done = 0;
        foreach (var row in at.Packs.OrderByDescending(row => row.From))
        {
            cancellation.ThrowIfCancellationRequested();
            if (FaultOf(at, row, cancellation) is { } fault && state.Packs.Contains(row))
            {
                catalogue.Report(row, fault);
                findings.Add(new StoreFinding(
                    $"The pack {catalogue.PathOf(row)} is damaged: {fault}",
                    $"What leads from {row.From} to {row.To} has to come from a peer; put it in the place of this file and open the store again."));
            }

            progress?.Report(new StoreProgress("verifying packs", ++done, at.Packs.Count));
        }

        var known = state.Packs.Select(row => row.File).Concat(interrupted).ToHashSet();
        foreach (var stray in System.IO.Directory.EnumerateFiles(HistoryDirectory, "*.pack").Where(path => !known.Contains(Path.GetFileName(path))))
        {
            // A stage installs its pack before the index knows it.
            if (turn.CurrentCount > 0 && state.Packs.All(row => row.File != Path.GetFileName(stray)))
            {
                findings.Add(new StoreFinding($"{stray} belongs to no version of this store.", "Delete it, unless you put it there yourself."));
            }
        }
    }

    private string? FaultOf(StoreState at, PackRow row, CancellationToken cancellation)
    {
        try
        {
            using var pack = PackReader.Open(catalogue.PathOf(row));
            pack.VerifyFrames(cancellation);
            return pack.Header.From != row.From || pack.Header.To != row.To ? $"it leads from {pack.Header.From} to {pack.Header.To}."
                : at.Find(row.To) is { } version && version.Record != pack.Version ? $"it has another record of {row.To} than the index."
                : null;
        }
        catch (Exception error) when (error is PackFormatException or IOException or UnauthorizedAccessException)
        {
            return error.Message;
        }
    }

    /// <summary>The index, and what it would be rebuilt from.</summary>
    private void VerifyIndex(List<StoreFinding> findings)
    {
        const string Remedy = "Nothing needs it while the index is whole. Open the store again to write (a node: start it again; else save once): it is made anew.";
        if (index.FindFault() is { } fault)
        {
            findings.Add(new StoreFinding($"{Path.Combine(Directory, "index.db")} is damaged: {fault}", "Open the store again: it is rebuilt from packs and trees, and this one is set aside."));
        }

        StoreFacts.Read(Directory, out var wrong);
        if (wrong is not null)
        {
            findings.Add(new StoreFinding($"{wrong}.", Remedy));
        }

        if (state.Head is { } head && new ManifestTrail(Directory, Site) is var trail && trail.LeadsTo(head) && trail.Find(head) is null && state.Head == head)
        {
            findings.Add(new StoreFinding($"{trail.Directory} does not lead to {head.Id}: a step of it is damaged.", $"Nothing needs it while the index is whole. Delete the packs in it and open the store again: they are made anew."));
        }
    }

    private void VerifyChain(List<StoreFinding> findings)
    {
        var at = state;
        var chains = at.Versions.ToDictionary(row => row.Record.Id, row => row.Record.Chain);
        foreach (var record in at.Versions.Select(row => row.Record))
        {
            // A parent that was never here, before a fill, leaves the link unchecked.
            var before = default(ContentHash);
            if ((record.Parent.IsNone || chains.TryGetValue(record.Parent, out before)) && VersionRecord.ChainOf(before, record) != record.Chain)
            {
                findings.Add(new StoreFinding(
                    $"The chain hash of version {record.Id} does not follow from its parent {record.Parent}: a record was altered.",
                    "Compare `versions` of this node with a peer's to see which record is the true one."));
            }
        }
    }
}
