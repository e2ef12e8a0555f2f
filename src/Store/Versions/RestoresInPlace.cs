using Mirror.Store.History;
using Mirror.Store.Slots;

namespace Mirror.Store.Versions;

/// <summary>A restore in place that is not at its end.</summary>
/// <param name="Version">What was restored, or was being restored.</param>
/// <param name="Swapped">False: it was interrupted before the destination changed.</param>
/// <param name="Previous">Where the state from before is kept; null when there was none.</param>
public sealed record PendingRestore(string Destination, string Version, bool Swapped, string? Previous);

/// <summary>Ends restores in place. What is needed lies beside the destination: no store is asked.</summary>
public static class RestoresInPlace
{
    /// <summary>Null when none is pending there.</summary>
    public static PendingRestore? Find(string destination)
    {
        var full = Full(destination);
        var inPlace = new InPlaceRestore(full, new StoreDisk());
        return inPlace.Find() is { } state ? Describe(full, inPlace, state) : null;
    }

    /// <summary>Deletes the state from before.</summary>
    /// <exception cref="StoreException">None is pending, or its destination was not replaced yet.</exception>
    public static PendingRestore Confirm(string destination) => Confirm(destination, new StoreDisk());

    /// <summary>Brings the state from before back, and deletes what was restored, with all that happened in it since.</summary>
    /// <exception cref="StoreException">None is pending.</exception>
    public static PendingRestore Undo(string destination) => Undo(destination, new StoreDisk());

    internal static PendingRestore Confirm(string destination, IStoreDisk disk) => End(destination, disk, InPlacePhase.Undoing, (inPlace, state) =>
    {
        if (state.Phase == InPlacePhase.Staging)
        {
            throw new StoreException(
                $"The restore of {state.Version} to {destination} was interrupted before anything there was replaced: run it again, or give it up with `mirror restore --undo {destination}`.");
        }

        inPlace.Confirm(state);
    });

    internal static PendingRestore Undo(string destination, IStoreDisk disk) => End(destination, disk, InPlacePhase.Confirming, static (inPlace, state) => inPlace.Undo(state));

    /// <param name="other">The opposite: one that was begun and interrupted is finished, since it cannot be taken back, and said.</param>
    private static PendingRestore End(string destination, IStoreDisk disk, InPlacePhase other, Action<InPlaceRestore, InPlaceState> end)
    {
        var full = Full(destination);
        var inPlace = new InPlaceRestore(full, disk);
        if (inPlace.Find() is not { } found)
        {
            inPlace.TidyUp();
            throw new StoreException($"No restore in place waits at {full}: there is nothing to confirm or undo.");
        }

        using var own = inPlace.Lock();
        if (inPlace.Settle() is { } state)
        {
            end(inPlace, state);
        }
        else if (found.Phase == other)
        {
            throw new StoreException(other == InPlacePhase.Undoing
                ? $"The restore of {found.Version} to {full} was being undone already when that was interrupted; it is undone now: what was there before is there again."
                : $"The restore of {found.Version} to {full} was being confirmed already when that was interrupted; it is confirmed now, and the state from before is gone.");
        }

        return Describe(full, inPlace, found);
    }

    private static PendingRestore Describe(string destination, InPlaceRestore inPlace, InPlaceState state) =>
        new(destination, state.Version, state.Phase != InPlacePhase.Staging, state.Previous is null ? null : inPlace.Previous);

    private static string Full(string destination) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(destination));
}
