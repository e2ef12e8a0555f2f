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
    private const int MostLooks = 4;

    /// <summary>So many paths are looked at before the next may have its turn.</summary>
    private const int StatsInTurn = 256;

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

    /// <summary>
    /// A slot is read without keeping others waiting. What looks wrong may be a stage at work: it stands if, in turn, the slot holds what it held then and the paths are what they were,
    /// which a few stats a time tell. Else those are read again.
    /// </summary>
    private async Task<List<StoreFinding>> VerifySlotAsync(string slot, bool readData, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        SlotLook? look = null;
        for (var looks = 0; looks < MostLooks; looks++)
        {
            try
            {
                look = LookAt(slot, readData, look?.Suspects, progress, cancellation);
                if (look.IsClean || await StandsAsync(look, cancellation))
                {
                    return look.Findings();
                }
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // Whatever vanished under the scan is settled by looking again.
                progress?.Report(new StoreProgress($"looking again at slot {slot}: {error.Message}", 0, 0));
            }
        }

        // It changes all the time. Of what was read before only the suspects are read again.
        return await InTurnAsync(() => Task.FromResult(LookAt(slot, readData, look?.Suspects, progress, cancellation).Findings()), cancellation);
    }

    private async Task<bool> StandsAsync(SlotLook look, CancellationToken cancellation)
    {
        var stands = await InTurnAsync(() => Task.FromResult(Outline(look.Slot, state).Look.Wrong.SequenceEqual(look.Wrong)), cancellation);
        foreach (var portion in look.Faults.Chunk(StatsInTurn))
        {
            stands = stands && await InTurnAsync(
                () => Task.FromResult(
                    state.Slots.GetValueOrDefault(look.Slot) == look.Version && portion.All(fault => SlotVerification.Look(look.Tree, fault.Path) == fault.Seen)),
                cancellation);
        }

        return stands;
    }

    private SlotLook LookAt(string slot, bool readData, IReadOnlySet<EntryPath>? suspects, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        var (look, manifest) = Outline(slot, state);
        return manifest is null ? look : look with { Faults = new SlotVerification(look.Tree, manifest, isPrivate, readData).Run(progress, cancellation, suspects) };
    }

    /// <summary>What is wrong with a slot before one looks into it.</summary>
    /// <returns>And what it should hold; null when that cannot be looked for.</returns>
    private (SlotLook Look, Manifest? Manifest) Outline(string slot, StoreState at)
    {
        var tree = slots.PathOf(slot);
        if (!at.Slots.TryGetValue(slot, out var version))
        {
            return (new SlotLook(slot, default, tree, "", [], []), null);
        }

        var remedy = slot == at.CurrentSlot
            ? $"Restore {version} from a peer, or move the store {Directory} away while the node is stopped: it fetches the site again."
            : $"Stop the node and delete {tree}: it is made again from the other slot.";
        if (!slots.Exists(slot))
        {
            return (new SlotLook(slot, version, tree, remedy, [new StoreFinding($"{tree}, which holds {version}, is gone.", remedy)], []), null);
        }

        if (at.Find(version) is not { } row || FindManifest(at, row.Record) is not { } manifest)
        {
            return (new SlotLook(slot, version, tree, remedy, [new StoreFinding($"{tree} holds {version}, whose manifest cannot be had.{catalogue.DescribeDamage()}", remedy)], []), null);
        }

        var wrong = slots.ReadMarker(slot) is { } marker && marker.Version == version.ToString() && marker.Root == row.Record.Root.ToString()
            ? Array.Empty<StoreFinding>()
            : [new StoreFinding($"{tree}.version does not say that the slot holds {version}.", "Nothing needs it while the index is whole; the next stage writes it again.")];
        return (new SlotLook(slot, version, tree, remedy, wrong, []), manifest);
    }

    /// <summary>What one look at a slot found.</summary>
    /// <param name="Wrong">With the slot as a whole.</param>
    private sealed record SlotLook(string Slot, VersionId Version, string Tree, string Remedy, IReadOnlyList<StoreFinding> Wrong, IReadOnlyList<SlotFault> Faults)
    {
        public bool IsClean => Wrong.Count == 0 && Faults.Count == 0;

        public IReadOnlySet<EntryPath> Suspects => Faults.Select(fault => fault.Path).ToHashSet();

        public List<StoreFinding> Findings()
        {
            List<StoreFinding> findings =
            [
                .. Wrong,
                .. Faults.Take(MostFindingsOfOneTree).Select(fault => new StoreFinding(
                    $"{Tree}/{fault.Path} of {Version} {fault.Fault}.", fault.Fault == SlotVerification.Foreign ? $"Remove it: no version has it, and it goes with the slot. {Remedy}" : Remedy)),
            ];
            if (Faults.Count > MostFindingsOfOneTree)
            {
                findings.Add(new StoreFinding($"{Tree} has {Faults.Count - MostFindingsOfOneTree} more differences from {Version}.", Remedy));
            }

            return findings;
        }
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
                    $"What leads from {row.From} to {row.To} has to come from a peer; put it in the place of this file and open the store again.{(peers is null ? "" : " Until then what restoring needs of it is borrowed from other nodes.")}"));
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
