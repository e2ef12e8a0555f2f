using Mirror.Store.History;
using Mirror.Store.Packs;
using Mirror.Store.Retention;
using Mirror.Store.Slots;

namespace Mirror.Store.Versions;

// Thinning: versions go, and the packs that led over them become fewer. Packs are joined and everything is checked without keeping a stage waiting; only the exchange takes a turn.
public sealed partial class VersionStore
{
    private const int MostInOneExchange = 2_000;
    private const int MostPlans = 5;
    private const string KeptBranch = "a diverged branch: nothing else has it";

    /// <summary>A pack that is made and not yet part of the history: its row as it will be, and where it lies.</summary>
    private sealed record PendingPack(PackRow Row, string Path);

    /// <summary>One at a time works on the history; a second one waits.</summary>
    private async Task<T> AloneOnHistoryAsync<T>(Func<Task<T>> work, CancellationToken cancellation, bool onlyLooks = false)
    {
        if (onlyLooks)
        {
            return await Task.Run(work, cancellation);
        }

        await historyTurn.WaitAsync(cancellation);
        try
        {
            // A crash may have left something; opening the store clears it, too.
            disk.DeleteTree("thin: clear directory", ThinningDirectory);
            disk.CreateDirectory("thin: create directory", ThinningDirectory);
            return await Task.Run(work, cancellation);
        }
        finally
        {
            try
            {
                disk.DeleteTree("thin: drop directory", ThinningDirectory);
            }
            finally
            {
                historyTurn.Release();
            }
        }
    }

    /// <summary>Drops versions. Whatever a version that is kept could do before, it can afterwards: otherwise those stay that it needs.</summary>
    /// <returns>The versions that had to stay, and why.</returns>
    private async Task<IReadOnlyDictionary<VersionId, string>> ThinAsync(IEnumerable<VersionId> versions, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        var stay = new Dictionary<VersionId, string>();
        var list = versions.OrderDescending().ToList();
        for (var begin = 0; begin < list.Count; begin += MostInOneExchange)
        {
            await ThinTogetherAsync(list.GetRange(begin, Math.Min(MostInOneExchange, list.Count - begin)), stay, progress, cancellation);
        }

        return stay;
    }

    /// <summary>All of them in one exchange; when that cannot be, one half and then the other, down to the single version that must stay.</summary>
    private async Task ThinTogetherAsync(List<VersionId> versions, Dictionary<VersionId, string> stay, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        for (var plans = 0; versions.Count > 0; plans++)
        {
            if (plans == MostPlans)
            {
                throw new StoreException($"The store {Directory} changed so often that its history could not be thinned. Nothing was lost; try again.");
            }

            var planned = state;
            var pins = HardPins(planned);
            foreach (var pinned in versions.Where(pins.ContainsKey))
            {
                stay[pinned] = pins[pinned];
            }

            versions.RemoveAll(id => pins.ContainsKey(id) || planned.Find(id) is null);
            var plan = ThinningPlan.Make(planned.Packs, versions.ToHashSet());
            if (plan.Stuck.Count > 0)
            {
                foreach (var id in plan.Stuck)
                {
                    stay[id] = "no pack leads to it here, and others lead on from it";
                }

                versions.RemoveAll(plan.Stuck.Contains);
                plans--;
                continue;
            }

            try
            {
                var pending = await JoinAsync(planned, plan, progress, cancellation);
                var dropped = versions.ToHashSet();
                RequireNothingLost(planned, dropped, plan.Removed, pending);
                if (await ExchangeAsync("thin", planned, dropped, plan.Removed, pending, cancellation))
                {
                    return;
                }
            }
            catch (UnreadableRunException reason)
            {
                if (versions.Count == 1)
                {
                    stay[versions[0]] = reason.Message;
                    return;
                }

                var half = versions.Count / 2;
                await ThinTogetherAsync(versions.GetRange(0, half), stay, progress, cancellation);
                await ThinTogetherAsync(versions.GetRange(half, versions.Count - half), stay, progress, cancellation);
                return;
            }
        }
    }

    /// <summary>The joined packs, synced, in the directory for thinning.</summary>
    private async Task<List<PendingPack>> JoinAsync(StoreState planned, ThinningPlan plan, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        var walk = new ManifestWalk(planned, catalogue);
        var fold = new PackFold(catalogue, ThinningDirectory);
        var pending = new List<PendingPack>();
        var total = plan.Runs.Sum(run => (long)run.Packs.Count);
        var done = 0L;
        foreach (var run in plan.Runs)
        {
            cancellation.ThrowIfCancellationRequested();
            var start = walk.Find(run.From) ?? throw new UnreadableRunException($"The manifest of {run.From} cannot be had.{catalogue.DescribeDamage()}");
            pending.Add(await WritePendingAsync("thin: join packs", run.From, run.To, output => fold.RunAsync(run, start, output, cancellation)));
            progress?.Report(new StoreProgress("joining packs", done += run.Packs.Count, total));
        }

        return pending;
    }

    private async Task<PendingPack> WritePendingAsync(string op, VersionId from, VersionId to, Func<Stream, Task> write)
    {
        var name = PackCatalogue.FileName(from, to);
        var path = Path.Combine(ThinningDirectory, name);
        await using (var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.ReadWrite,
            BufferSize = 256 * 1024,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            await disk.ChangeAsync(op, () => write(file));
            await file.FlushAsync();

            // A rebuilt index takes from it when the newer of the two versions came.
            if (state.Find(from < to ? to : from) is { } newer)
            {
                File.SetLastWriteTimeUtc(file.SafeFileHandle, newer.Received.UtcDateTime);
            }

            disk.SyncFile($"{op}: sync file", file);
        }

        // Read once more from its end: a pack that was not written whole does not replace anything.
        using var pack = PackReader.Open(path);
        return new PendingPack(new PackRow(from, to, name, pack.Header.Partial, pack.Length), path);
    }

    private static StoreState After(StoreState at, IReadOnlySet<VersionId> dropped, IReadOnlyCollection<PackRow> removed, IEnumerable<PackRow> added) => at with
    {
        Versions = [.. at.Versions.Where(row => !dropped.Contains(row.Record.Id))],
        Packs = [.. at.Packs.Except(removed), .. added],
    };

    /// <summary>Not by how it was planned but by what is there: every version that is kept can be reached as before, and lacks no content it did not lack.</summary>
    /// <exception cref="UnreadableRunException">One would not.</exception>
    private void RequireNothingLost(StoreState before, IReadOnlySet<VersionId> dropped, IReadOnlyCollection<PackRow> removed, IReadOnlyCollection<PendingPack> added)
    {
        // As the history will be, except that the new packs are still where they were written.
        List<PackRow> rows = [.. added.Select(pack => pack.Row with { File = Path.GetRelativePath(HistoryDirectory, pack.Path) })];
        RequireNothingLost(before, After(before, dropped, removed, rows));
        rows.ForEach(row => catalogue.Forget(row.File));
    }

    /// <exception cref="UnreadableRunException">A version that is kept would lose something.</exception>
    private void RequireNothingLost(StoreState before, StoreState after)
    {
        var had = RestorableVersions.Find(before, catalogue, null).Lacking;
        var has = RestorableVersions.Find(after, catalogue, null).Lacking;
        foreach (var version in after.Versions.Select(row => row.Record.Id))
        {
            if (had.TryGetValue(version, out var lacked) && (!has.TryGetValue(version, out var lacks) || lacks > lacked))
            {
                throw new UnreadableRunException($"version {version}, which is kept, needs what its packs hold");
            }
        }
    }

    /// <summary>
    /// Packs come, packs and versions go, in one transaction: new packs are in place and durable before it, old ones are deleted after it, and the journal knows both.
    /// </summary>
    /// <returns>False when the store is not as it was planned for: nothing was done.</returns>
    private Task<bool> ExchangeAsync(
        string op, StoreState planned, IReadOnlySet<VersionId> dropped, IReadOnlyCollection<PackRow> removed, IReadOnlyCollection<PendingPack> added, CancellationToken cancellation) => InTurnAsync(
        () =>
        {
            if (!StillFits(planned, dropped, removed))
            {
                return Task.FromResult(false);
            }

            var before = state;
            List<PackRow> rows = [.. added.Select(pack => pack.Row)];
            var entry = new JournalEntry(JournalPhase.Thinning, Guid.NewGuid(), "a", "", [.. rows.Select(row => row.File), .. removed.Select(row => row.File)]);
            Touching();
            journal.Write(entry);
            foreach (var pack in added)
            {
                disk.Rename($"{op}: rename pack", pack.Path, catalogue.PathOf(pack.Row));
                catalogue.Forget(pack.Row.File);
            }

            if (added.Count > 0)
            {
                disk.SyncDirectory($"{op}: sync directory", HistoryDirectory);
            }

            index.Commit(disk, op, change =>
            {
                change.SetOperation(entry.Operation);
                foreach (var version in dropped)
                {
                    change.DeleteVersion(version);
                }

                foreach (var row in removed)
                {
                    change.DeletePack(row);
                }

                rows.ForEach(change.PutPack);
            });
            var known = restorable is { } found && found.Fits(before, catalogue) ? found : null;
            state = After(before, dropped, removed, rows);
            restorable = known?.After(state);
            foreach (var row in removed.Where(row => rows.All(added => added.File != row.File)))
            {
                disk.DeleteFile($"{op}: delete pack", catalogue.PathOf(row));
                catalogue.Forget(row.File);
            }

            // The journal knows of them until they are gone for good.
            disk.SyncDirectory($"{op}: sync deletions", HistoryDirectory);
            journal.Clear();
            return Task.FromResult(true);
        },
        cancellation);

    /// <summary>Whether a plan still holds: nothing it is about is gone or needed now, and if newer versions came, they lead back whole to the head it was made for.</summary>
    private bool StillFits(StoreState planned, IReadOnlySet<VersionId> dropped, IReadOnlyCollection<PackRow> removed)
    {
        var now = state;
        if (ReferenceEquals(now, planned) && protections.Fault is null)
        {
            return !dropped.Any(HardPins(now).ContainsKey);
        }

        var head = now.Head?.Id;
        while (head is { } newer && newer != planned.Head?.Id)
        {
            head = now.Packs.FirstOrDefault(row => row.From == newer && !row.Partial && row.To < newer)?.To;
        }

        return now.Mode == planned.Mode && head is not null && removed.All(now.Packs.Contains) && !dropped.Any(HardPins(now).ContainsKey);
    }

    /// <summary>What is never dropped, with why.</summary>
    private Dictionary<VersionId, string> HardPins(StoreState at)
    {
        protections.RefuseFault();
        var pins = new Dictionary<VersionId, string>();
        foreach (var row in at.Versions)
        {
            if (BranchNote.IsBranch(row.Note) && !BranchNote.IsGivenUp(row.Note))
            {
                pins[row.Record.Id] = KeptBranch;
            }
            else if (row.Staged)
            {
                pins[row.Record.Id] = "not yet current";
            }

            if (protections.ReasonFor(row.Record.Id) is { } reason)
            {
                pins[row.Record.Id] = $"protected: {reason}";
            }
        }

        AddInUse(at, pins);
        return pins;
    }

    private static void AddInUse(StoreState at, Dictionary<VersionId, string> pins)
    {
        foreach (var (slot, version) in at.Slots)
        {
            pins[version] = $"in slot {slot}";
        }

        if (at.Current is { } current)
        {
            pins[current.Id] = "current";
        }

        if (at.Head is { } head)
        {
            pins[head.Id] = "newest";
        }
    }
}
