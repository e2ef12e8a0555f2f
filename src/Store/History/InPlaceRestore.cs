using System.Security.Cryptography;
using System.Text;
using Mirror.Store.Manifests;
using Mirror.Store.Slots;
using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>
/// Replaces what is at a destination in one step, and keeps it until somebody confirms or undoes. Everything happens in a directory beside the destination, with a journal that
/// says how far it is; where things are is never believed from the journal but seen by their inodes. So whatever stops it, the destination is the old state or the new one, and
/// the next call goes on.
/// <list type="number">
/// <item>staging: the new state is being written beside; the destination is as it was.</item>
/// <item>swapping: both names exchange what they name (one rename where the file system can, else two).</item>
/// <item>swapped: the new state is there, the old one is kept as <c>previous</c>.</item>
/// <item>confirming: <c>previous</c> is being deleted. Or undoing: it is put back, and the new state deleted.</item>
/// </list>
/// </summary>
internal sealed class InPlaceRestore
{
    private readonly string destination;
    private readonly string parent;
    private readonly string beside;
    private readonly IStoreDisk disk;
    private readonly InPlaceJournal journal;

    public InPlaceRestore(string destination, IStoreDisk disk)
    {
        this.destination = destination;
        this.disk = disk;
        parent = Path.GetDirectoryName(destination)!;
        beside = Path.Combine(parent, NameOf(Path.GetFileName(destination)));
        journal = new InPlaceJournal(Path.Combine(beside, "journal"), disk);
    }

    /// <summary>Where the state from before is kept.</summary>
    public string Previous => Path.Combine(beside, "previous");

    private string Tree => Path.Combine(beside, RestorePart.SingleName.ToString());

    private string Scratch => Path.Combine(beside, "scratch");

    /// <summary>Taken by each process that works on the destination.</summary>
    /// <exception cref="StoreException">Another one has it.</exception>
    public FileStream Lock()
    {
        disk.CreateDirectory("in place: create", beside);
        try
        {
            return new FileStream(Path.Combine(beside, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 0);
        }
        catch (IOException busy)
        {
            throw new StoreException($"Another process restores to {destination} ({busy.Message.TrimEnd('.')}). Wait for it.", busy);
        }
    }

    /// <summary>How far a restore to this destination is; null when there is none.</summary>
    public InPlaceState? Find() => Directory.Exists(beside) ? journal.Read() ?? Unfounded() : null;

    /// <summary>Finishes a step that was interrupted, forward. Null when nothing is pending afterwards.</summary>
    public InPlaceState? Settle()
    {
        var state = Find();
        switch (state?.Phase)
        {
            case InPlacePhase.Swapping:
                Place(Tree, state.Staged, Previous);
                return journal.Write(state with { Phase = InPlacePhase.Swapped });
            case InPlacePhase.Confirming:
                End();
                return null;
            case InPlacePhase.Undoing:
                PlaceBack(state);
                End();
                return null;
            default:
                return state;
        }
    }

    /// <summary>Writes the new state beside the destination, then swaps.</summary>
    /// <param name="write">Fills the directory named first; may use the second for scratch. What it made bears <see cref="RestorePart.SingleName"/> in the first.</param>
    public async Task RunAsync(InPlaceState begun, Func<string, string, Task> write)
    {
        disk.SyncDirectory("in place: sync directory", parent);
        journal.Write(begun);
        Remove("in place: clear", Tree);
        disk.DeleteTree("in place: clear scratch", Scratch);
        disk.CreateDirectory("in place: create scratch", Scratch);
        await write(beside, Scratch);
        disk.DeleteTree("in place: drop scratch", Scratch);
        disk.SyncDirectory("in place: sync directory", beside);
        journal.Write(begun with
        {
            Phase = InPlacePhase.Swapping,
            Staged = IdentityOf(Tree) ?? throw new StoreException($"{Tree}, which was just written, is gone. Nothing was replaced; run the restore again."),
            Previous = IdentityOf(destination),
        });
        Settle();
    }

    /// <summary>The state from before goes.</summary>
    public void Confirm(InPlaceState state)
    {
        if (IdentityOf(destination) != state.Staged)
        {
            throw new StoreException(
                $"{destination} is no longer what was restored there: somebody replaced it since. The state from before is kept in {Previous}; delete {beside} if nothing of it is needed.");
        }

        journal.Write(state with { Phase = InPlacePhase.Confirming });
        End();
    }

    /// <summary>The state from before comes back, and what was restored goes. Before the swap only what was staged goes.</summary>
    public void Undo(InPlaceState state)
    {
        if (state.Phase == InPlacePhase.Swapped)
        {
            state = journal.Write(state with { Phase = InPlacePhase.Undoing });
            PlaceBack(state);
        }

        End();
    }

    /// <summary>Before the destination changed: all that was made beside it goes. Also what a crash left there when it had just begun, or was about to end.</summary>
    public void GiveUp()
    {
        if (Directory.Exists(beside) && Find() is null or { Phase: InPlacePhase.Staging })
        {
            End();
        }
    }

    /// <summary>The same for who has not the lock.</summary>
    public void TidyUp()
    {
        if (Directory.Exists(beside))
        {
            using var own = Lock();
            GiveUp();
        }
    }

    private void PlaceBack(InPlaceState state)
    {
        if (state.Previous is { } previous)
        {
            Place(Previous, previous, Tree);
        }
        else if (IdentityOf(destination) == state.Staged)
        {
            Move(destination, Tree);
        }
    }

    /// <summary>
    /// The inode <paramref name="wanted"/> comes to the destination from where it waits, and what was there is kept under another name. What an interrupted attempt did already is seen,
    /// and not done again.
    /// </summary>
    private void Place(string from, InodeIdentity? wanted, string keep)
    {
        if (wanted is not null && IdentityOf(destination) == wanted)
        {
            // Exchanged already: the other one is where this one was.
            if (IdentityOf(from) is not null)
            {
                Move(from, keep);
            }

            return;
        }

        if (wanted is null || IdentityOf(from) != wanted)
        {
            throw new StoreException($"{from} is not what was put there for {destination}: somebody changed {beside}. Look at both; nothing was replaced.");
        }

        if (IdentityOf(destination) is not null)
        {
            if (IdentityOf(keep) is not null)
            {
                throw new StoreException(
                    $"Something new came to be at {destination} while a restore there was interrupted; the state from before is in {keep}. Move it away ({destination}), and run the same again.");
            }

            if (TryExchange(from))
            {
                Move(from, keep);
                return;
            }

            Move(destination, keep);
        }

        Move(from, destination);
    }

    /// <summary>False where the file system cannot.</summary>
    private bool TryExchange(string from)
    {
        if (!disk.TryExchange("in place: exchange", from, destination))
        {
            return false;
        }

        SyncBoth();
        return true;
    }

    private void Move(string from, string to)
    {
        disk.Rename("in place: rename", from, to);
        SyncBoth();
    }

    private void SyncBoth()
    {
        disk.SyncDirectory("in place: sync directory", parent);
        disk.SyncDirectory("in place: sync directory", beside);
    }

    /// <summary>The journal goes last: while there is anything, it says what it is.</summary>
    private void End()
    {
        Remove("in place: delete", Previous);
        Remove("in place: delete", Tree);
        disk.DeleteTree("in place: delete scratch", Scratch);
        journal.Clear();
        disk.DeleteTree("in place: delete directory", beside);
        disk.SyncDirectory("in place: sync directory", parent);
    }

    private void Remove(string op, string path)
    {
        if (Directory.Exists(path))
        {
            disk.DeleteTree(op, path);
        }
        else
        {
            disk.DeleteFile(op, path);
        }
    }

    private InPlaceState? Unfounded() => IdentityOf(Previous) is null
        ? null
        : throw new StoreException($"{Previous} is there, and no journal says what it is. Look at it, compare it with {destination}, and move it away; then run the same again.");

    private static InodeIdentity? IdentityOf(string path) =>
        Posix.Stat(Posix.CurrentDirectory, Encoding.UTF8.GetBytes(path), out FileStat stat) < 0 ? null : new InodeIdentity(stat.Inode, stat.BornNs);

    private static string NameOf(string name)
    {
        const string Prefix = ".mirror-restore-";
        return Encoding.UTF8.GetByteCount(name) + Prefix.Length <= EntryPath.MaxNameLength
            ? Prefix + name
            : Prefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
    }
}
