using Mirror.Store.Manifests;
using Mirror.Store.Retention;

namespace Mirror.Store.Versions;

// Branches that diverged: what they are, what is in them, and how a person gives one up.
public sealed partial class VersionStore
{
    /// <summary>What this store keeps beside the line of versions, oldest first. Those that were given up are there until their last version is gone.</summary>
    public IReadOnlyList<Divergence> Divergences => DivergencesOf(state);

    /// <exception cref="StoreException">There is no such branch.</exception>
    public Divergence DivergenceOf(VersionId label) => DivergenceOf(state, label);

    /// <summary>What a branch has that the line did not have where it left that, and what became of the same paths in the line.</summary>
    /// <exception cref="StoreException">There is no such branch, or a manifest cannot be had.</exception>
    public DivergenceReport CompareDivergence(VersionId label)
    {
        var branch = DivergenceOf(state, label);
        var left = branch.Left.IsNone ? Manifest.Empty : ManifestOf(branch.Left);
        var mine = ManifestOf(branch.Label);
        var present = state is { Head: { } head } at && !BranchNote.IsBranch(at.Find(head.Id)!.Note) ? at : null;
        var paths = PathChange.Between(left, mine).Select(change => new DivergedPath(change, PresentOf(change, left, mine, present?.HeadManifest))).ToList();
        return new DivergenceReport(branch, paths, present?.Head?.Id ?? default);
    }

    /// <summary>
    /// Gives a branch up: from then on nothing keeps it, and what of it is not in use goes at once. The rest, such as a slot's tree, goes with <see cref="SweepAsync"/>. Whoever is stopped in between has either given nothing up
    /// or all of it.
    /// </summary>
    /// <exception cref="StoreException">No such branch, a version of it is protected, or the reason is no line of text. Nothing was changed.</exception>
    public Task<BranchDrop> GiveUpAsync(VersionId label, string reason, bool dryRun, IProgress<StoreProgress>? progress, CancellationToken cancellation) => AloneOnHistoryAsync(
        async () =>
        {
            var before = BytesOf(state);
            reason = GivenReason.Check(reason, $"giving up {label}");
            var branch = DivergenceOf(state, label);
            RefuseProtected(branch);
            if (dryRun)
            {
                return new BranchDrop(branch, StayingOf(state, branch), before, before);
            }

            await InTurnAsync(
                () =>
                {
                    branch = DivergenceOf(state, label);
                    RefuseProtected(branch);
                    var rows = branch.Versions.Select(version => state.Find(version.Id)! with { Note = BranchNote.GivenUp(reason) }).ToList();
                    Touching();
                    index.Commit(disk, "give up branch", change => rows.ForEach(change.PutVersion));
                    state = state with { Versions = state.VersionsWith(rows) };
                    return Task.CompletedTask;
                },
                cancellation);
            var stay = await ThinAsync(branch.Versions.Select(version => version.Id), progress, cancellation);
            return new BranchDrop(branch, stay, before, BytesOf(state));
        },
        cancellation,
        onlyLooks: dryRun);

    /// <summary>Drops what was given up and is not in use any more.</summary>
    /// <returns>How many versions went.</returns>
    public async Task<int> SweepAsync(CancellationToken cancellation)
    {
        List<VersionId> Waiting() => [.. state.Versions.Where(row => BranchNote.IsGivenUp(row.Note)).Select(row => row.Record.Id)];
        var waiting = Waiting();
        if (waiting.Count == 0 || waiting.All(HardPins(state).ContainsKey))
        {
            return 0;
        }

        return await AloneOnHistoryAsync(
            async () =>
            {
                var before = Waiting();
                var stay = await ThinAsync(before, null, cancellation);
                return before.Count - stay.Count;
            },
            cancellation);
    }

    private void RefuseProtected(Divergence branch)
    {
        protections.RefuseFault();
        foreach (var version in branch.Versions)
        {
            if (protections.ReasonFor(version.Id) is { } why)
            {
                throw new StoreException($"The branch {branch.Label} cannot be given up: its version {version.Id} is protected: {why}. Lift that first (`mirror protect {version.Id} --lift`). Nothing was changed.");
            }
        }
    }

    /// <summary>Why some of it would not go at once.</summary>
    private Dictionary<VersionId, string> StayingOf(StoreState at, Divergence branch)
    {
        var inUse = new Dictionary<VersionId, string>();
        AddInUse(at, inUse);
        return branch.Versions.Where(version => inUse.ContainsKey(version.Id)).ToDictionary(version => version.Id, version => inUse[version.Id]);
    }

    private Divergence DivergenceOf(StoreState at, VersionId label)
    {
        var all = DivergencesOf(at);
        if (all.FirstOrDefault(branch => branch.Label == label) is { } found)
        {
            return found;
        }

        var known = all.Count == 0 ? "it keeps none" : $"it keeps {string.Join(", ", all.Select(branch => branch.Label))}";
        throw new StoreException(all.FirstOrDefault(branch => branch.Versions.Any(version => version.Id == label)) is { } around
            ? $"{label} is a version of the diverged branch {around.Label}. Name that."
            : $"The store {Directory} has no diverged branch {label}; {known}. `mirror diverged list` shows those of all nodes.");
    }

    /// <summary>Each version names the one that it was made from: what no other one of a branch was made from is its end.</summary>
    private static List<Divergence> DivergencesOf(StoreState at)
    {
        var rows = at.Versions.Where(row => BranchNote.IsBranch(row.Note)).ToDictionary(row => row.Record.Id);
        var branches = new List<Divergence>();
        foreach (var end in rows.Values.Where(row => !rows.Values.Any(other => IsNext(row, other))).OrderBy(row => row.Record.Id))
        {
            var members = new List<VersionRow>();
            for (var row = end; row is not null; row = rows.Values.FirstOrDefault(older => IsNext(older, row)))
            {
                members.Insert(0, row);
            }

            var left = at.Versions.LastOrDefault(row => row.Record.Id < members[0].Record.Id && !BranchNote.IsBranch(row.Note));
            var ids = members.Select(row => row.Record.Id).ToHashSet();
            branches.Add(new Divergence(
                end.Record.Id, [.. members.Select(row => row.Record)], left?.Record.Id ?? default, members.Max(row => row.Received),
                at.Packs.Where(pack => ids.Contains(pack.From) || ids.Contains(pack.To)).Sum(pack => pack.Bytes), end.Note, BranchNote.IsGivenUp(end.Note)));
        }

        return branches;

        // Where one between them was dropped earlier, what was said when they were kept tells that they belong together.
        bool IsNext(VersionRow older, VersionRow newer) => newer.Note == older.Note && older.Record.Id < newer.Record.Id
            && (newer.Record.Parent == older.Record.Id || (!rows.ContainsKey(newer.Record.Parent) && newer.Record.Parent > older.Record.Id));
    }

    private static PresentState? PresentOf(PathChange change, Manifest left, Manifest mine, Manifest? present)
    {
        if (present is null)
        {
            return null;
        }

        var now = present.Find(change.Path);
        return PathChange.Between(change.Path, mine.Find(change.Path), now) is null or { Kind: PathChangeKind.Metadata } ? PresentState.Same
            : PathChange.Between(change.Path, left.Find(change.Path), now) is null or { Kind: PathChangeKind.Metadata } ? PresentState.AsBefore
            : PresentState.Changed;
    }
}
