using System.Text;
using Mirror.Store.Slots;
using Mirror.Store.Tree;

namespace Mirror.Store.Versions;

// What can be had of a store without opening it, and what is kept for that.
public sealed partial class VersionStore
{
    /// <summary>
    /// What a store at rest says it holds, by its link and its marker alone: its newest version, which is current. Null whenever there is more to it (work that was interrupted,
    /// a version that waits for its flip, another process, a lost index, a disk that cannot be written): then the store has to be opened.
    /// </summary>
    public static VersionRecord? Glance(string directory, string site)
    {
        var index = Path.Combine(directory, "index.db");
        if (!File.Exists(Path.Combine(directory, "format")) || !File.Exists(index) || Posix.CheckWritable(Encoding.UTF8.GetBytes(directory)) < 0)
        {
            return null;
        }

        try
        {
            using var held = StoreLock.TakeToRead(directory);
            StoreFormat.Check(directory);
            var disk = new ReadOnlyDisk(new StoreDisk(), directory);
            var slots = new SlotPair(directory, disk);
            if (File.Exists(new Journal(directory, disk).Path) || VersionIndex.HasLog(index) || File.Exists(VersionIndex.SuspicionOf(index))
                || slots.ReadCurrent() is not { } current || !slots.Exists(current) || slots.ReadMarker(current)?.ReadRecord() is not { } record || record.Site != site)
            {
                return null;
            }

            var other = SlotPair.Other(current);
            return !slots.Exists(other) || (slots.ReadMarker(other)?.ReadRecord() is { } older && older.Id < record.Id) ? record : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or StoreException)
        {
            return null;
        }
    }

    /// <summary>Where <see cref="RememberTreeAsync"/> keeps what it is given.</summary>
    public static string SeenTreeIn(string directory) => Path.Combine(directory, "seen");

    /// <summary>What the captured tree looked like, so that the next capture can say at a glance that nothing changed. It may be lost.</summary>
    /// <param name="seen">Null: what was remembered holds no longer.</param>
    public Task RememberTreeAsync(SeenTree? seen, CancellationToken cancellation) => InTurnAsync(
        () =>
        {
            Touching();
            var path = SeenTreeIn(Directory);
            if (seen is null)
            {
                disk.DeleteFile("forget tree", path);
            }
            else
            {
                disk.Change("remember tree", () => seen.Write(path));
            }

            return Task.CompletedTask;
        },
        cancellation);
}
