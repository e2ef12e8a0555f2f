using System.Runtime.InteropServices;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Watch;

/// <summary>
/// fanotify: one mark covers a whole file system, so there is no watch that could be missing and no limit to meet, and its queue grows as it must. It tells of the whole file
/// system: what happened outside the tree is dropped after one look into a table. Each event names a directory by its handle, and an entry in it.
/// </summary>
internal sealed class FanotifySource : IChangeSource
{
    // struct fanotify_event_metadata, then records of a type, a length, and for the two types asked for: file system 8, handle (length 4, type 4, bytes), name with a NUL.
    private const int MetadataLength = 24;
    private const int HeaderLengthAt = 6;
    private const int MaskAt = 8;
    private const byte DirectoryAndName = 2;
    private const byte DirectoryOnly = 3;
    private const int RecordHeader = 4;
    private const int HandleAt = RecordHeader + 8;
    private const int HandleHeader = 8;

    private readonly int fanotify;
    private readonly WatchScope scope;
    private readonly HandlePlaces places;
    private readonly byte[] buffer = new byte[128 * 1024];
    private bool rootSuspect;

    private FanotifySource(int fanotify, string root, WatchScope scope)
    {
        this.fanotify = fanotify;
        this.scope = scope;
        places = new HandlePlaces(root, scope);
    }

    public string Name => "fanotify";

    public int Descriptor => fanotify;

    public bool IsWhole => true;

    public string? Limit => null;

    public string? Fault { get; private set; }

    /// <returns>Null where fanotify cannot be had, with the reason.</returns>
    public static FanotifySource? TryOpen(TreeHandle root, WatchScope scope, out string why)
    {
        why = "";
        var fanotify = WatchCalls.OpenFanotify();
        if (fanotify < 0)
        {
            why = fanotify is -Errno.NotPermitted or -Errno.InvalidArgument or -Errno.NotImplemented
                ? "fanotify needs root and Linux 5.9"
                : $"fanotify: {PosixError.Text(-fanotify)}";
            return null;
        }

        var marked = WatchCalls.MarkFileSystem(fanotify, root.Descriptor);
        if (marked < 0)
        {
            why = $"this file system has no fanotify: {PosixError.Text(-marked)}";
        }
        else if (CanFollowHandles(root) is var followed && followed < 0)
        {
            why = $"directories cannot be opened by their handles here: {PosixError.Text(-followed)}";
        }
        else if (MountTable.MountedAgainBelow(root) is { } again)
        {
            why = $"a part of the same file system is mounted at {again}, and fanotify would tell of it by another path";
        }
        else
        {
            return new FanotifySource(fanotify, root.Root, scope);
        }

        Posix.Close(fanotify);
        return null;
    }

    public bool TakeRootSuspicion()
    {
        var suspect = rootSuspect;
        rootSuspect = false;
        return suspect;
    }

    public void Drain(TouchCollector into)
    {
        // Each event counts as its metadata here; and those alone are waited for: more may come faster than one can read.
        var events = WatchCalls.Queued(fanotify) / MetadataLength;
        try
        {
            while (events > 0)
            {
                var length = Posix.Read(fanotify, buffer);
                if (length == -Errno.Again)
                {
                    return;
                }

                if (length <= 0)
                {
                    Fault = $"fanotify cannot be read: {PosixError.Text(-length)}";
                    into.Everything();
                    return;
                }

                events -= Tell(buffer.AsSpan(0, length), into);
            }
        }
        finally
        {
            places.EndRound();
        }
    }

    public int? Work(TouchCollector into) => null;

    public void Dispose()
    {
        Posix.Close(fanotify);
        places.Dispose();
    }

    private static int CanFollowHandles(TreeHandle root)
    {
        Span<byte> handle = stackalloc byte[WatchCalls.LongestHandle];
        var length = WatchCalls.HandleOf(root.Descriptor, handle);
        var opened = length < 0 ? length : WatchCalls.OpenByHandle(root.Descriptor, handle[..length]);
        if (opened >= 0)
        {
            Posix.Close(opened);
        }

        return opened;
    }

    private int Tell(ReadOnlySpan<byte> events, TouchCollector into)
    {
        var told = 0;
        for (; events.Length >= MetadataLength; told++)
        {
            var length = MemoryMarshal.Read<int>(events);
            var what = (Happening)MemoryMarshal.Read<ulong>(events[MaskAt..]);
            if ((what & Happening.Overflow) != 0)
            {
                // Only when the kernel had no memory.
                into.Everything();
            }
            else
            {
                TellOne(what, events[MemoryMarshal.Read<ushort>(events[HeaderLengthAt..])..length], into);
            }

            events = events[length..];
        }

        return told;
    }

    private void TellOne(Happening what, ReadOnlySpan<byte> records, TouchCollector into)
    {
        while (!records.IsEmpty)
        {
            var record = records[..MemoryMarshal.Read<ushort>(records[2..])];
            records = records[record.Length..];
            if (record[0] is not (DirectoryAndName or DirectoryOnly))
            {
                continue;
            }

            var handle = record.Slice(HandleAt, HandleHeader + MemoryMarshal.Read<int>(record[HandleAt..]));
            var name = record[0] == DirectoryOnly ? default : record[(HandleAt + handle.Length)..];
            var end = name.IndexOf((byte)0);
            TellName(what, handle, end < 0 ? name : name[..end], into);
        }
    }

    private void TellName(Happening what, ReadOnlySpan<byte> handle, ReadOnlySpan<byte> name, TouchCollector into)
    {
        var onDirectory = (what & Happening.OnDirectory) != 0;
        var place = places.Find(handle);
        if (place.Kind == PlaceKind.Unknown)
        {
            into.Everything();
            return;
        }

        // A directory above the root that is moved or removed takes the root with it.
        rootSuspect |= onDirectory && place.Kind == PlaceKind.Elsewhere && (what & (Happening.MovedFrom | Happening.MovedTo | Happening.Removed)) != 0;
        if (place.Kind == PlaceKind.Elsewhere)
        {
            // Moved within what does not matter it still may be known to be there: no path of the tree is wrong for that.
            return;
        }

        if (onDirectory && (what & (Happening.MovedFrom | Happening.MovedTo)) != 0)
        {
            places.Forget();
        }

        if (name.IsEmpty || name.SequenceEqual("."u8))
        {
            into.Path(place.Path);
            return;
        }

        if (place.Path.Bytes.Length + 1 + name.Length > EntryPath.MaxLength)
        {
            into.Everything();
            return;
        }

        var path = place.Path.Append(name);
        if (!scope.Covers(path, what))
        {
            return;
        }

        into.Path(path);
        if (onDirectory && (what & (Happening.Made | Happening.MovedTo)) != 0)
        {
            into.Subtree(path);
        }
    }
}
