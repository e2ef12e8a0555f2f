using Google.Protobuf;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Records;
using Mirror.Store.Versions;

namespace Mirror.Fuzz.Parsers;

/// <summary>An entry as the index keeps it.</summary>
internal sealed class EntryRecord() : Parser("entry", typeof(InvalidDataException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } = [.. PackForge.SampleEntries.Select(IndexRecords.Bytes)];

    public override int Read(byte[] input)
    {
        var entry = IndexRecords.ParseEntry(input);
        Promise(IndexRecords.ParseEntry(IndexRecords.Bytes(entry)).Equals(entry), "the entry does not come back from its own bytes");
        return HashCode.Combine(entry.Type, entry.Xattrs.Count, entry.HardlinkOf is null, entry.Sparse, entry.Unstable);
    }
}

/// <summary>A version's record as the index keeps it.</summary>
internal sealed class VersionParser() : Parser("version", typeof(InvalidDataException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } =
        [IndexRecords.Bytes(PackForge.Version), IndexRecords.Bytes(PackForge.Version with { Parent = default, Dumps = [], Time = DateTimeOffset.MinValue.AddYears(1700) })];

    public override int Read(byte[] input)
    {
        var version = IndexRecords.ParseVersion(input);
        Promise(IndexRecords.ParseVersion(IndexRecords.Bytes(version)).Equals(version), "the version does not come back from its own bytes");
        Promise(version.Parent < version.Id && !version.Root.IsNone && !version.Chain.IsNone, "a version that cannot be");
        return HashCode.Combine(version.Dumps.Count, version.Parent.IsNone);
    }
}

/// <summary>The header record of a pack.</summary>
internal sealed class HeaderRecord() : Parser("pack-header", typeof(InvalidDataException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } =
    [
        PackRecords.Encode(PackForge.Header).ToByteArray(),
        PackRecords.Encode(PackForge.Header with { From = default, FromRoot = default, Partial = true }).ToByteArray(),
    ];

    public override int Read(byte[] input)
    {
        var header = PackRecords.Decode(PackRecords.Parse(PackRecords.Header, input));
        Same(input, PackRecords.Encode(header).ToByteArray(), "a header has one encoding, and this is another");
        return HashCode.Combine(header.Partial, header.From.IsNone);
    }
}

/// <summary>The index of a pack, one frame of it.</summary>
internal sealed class IndexRecord() : Parser("pack-index", typeof(InvalidDataException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } = [Sample(0, 0), Sample(1, 1), Sample(5, 3)];

    public override int Read(byte[] input)
    {
        var record = PackRecords.Parse(PackRecords.Index, input);
        Same(input, record.ToByteArray(), "an index has one encoding, and this is another");
        var index = new PackIndex(PackPreamble.New(null));
        index.Add(record);
        var before = index.Frames.Count == 0 ? 0 : index.Frames[^1].End;
        index.Complete(new PackTrailer(before, index.Frames.Count, 1, index.DataLength));
        for (var at = 0; at < index.Blobs.Count; at++)
        {
            var blob = index.Blobs[at];
            Promise(blob.Offset >= 0 && blob.Length >= 0 && blob.Size >= 0 && blob.Offset <= index.DataLength - blob.Length, "a blob outside the data");
            Promise(at == 0 || blob.Offset >= index.Blobs[at - 1].Offset + index.Blobs[at - 1].Length, "blobs overlap");
            if (blob.Length > 0)
            {
                var (frame, start) = index.DataFrameAt(blob.Offset);
                Promise(frame.Kind == FrameKind.Data && blob.Offset >= start && blob.Offset < start + frame.Raw, "a blob's first byte is in another frame");
            }
        }

        return HashCode.Combine(Rough(index.Blobs.Count), Rough(index.Frames.Count), Rough(index.DataLength));
    }

    private static byte[] Sample(int blobs, int frames)
    {
        var record = new PackIndexRecord { Version = VersionRecords.Encode(PackForge.Version) };
        for (var at = 0; at < blobs; at++)
        {
            record.Blobs.Add(new BlobRecord
            {
                Sha256 = PackRecords.Encode(PackForge.HashOf([(byte)at])), Basis = PackRecords.Encode(at % 2 == 0 ? default : PackForge.HashOf([99])), Offset = (ulong)(at * 10), Length = 10, Size = 100,
            });
        }

        record.Frames.Add(new FrameRecord { FileOffset = 16, Stored = 50, Raw = 50, Kind = 1 });
        for (var at = 0; at < frames; at++)
        {
            record.Frames.Add(new FrameRecord { FileOffset = 86 + ((ulong)at * 60), Stored = 40, Raw = 1000, Kind = 2 });
        }

        return record.ToByteArray();
    }
}

/// <summary>Changes of a pack, applied to a manifest that is there. What comes out has the same root however it was come by, and differs from the old one by exactly what was said.</summary>
internal sealed class ChangesParser() : Parser("changes", typeof(InvalidDataException))
{
    private static readonly Entry edited = PackForge.File("a/b", [5]);

    public override IReadOnlyList<byte[]> Seeds { get; } =
    [
        PackPart.Changes(PackForge.SampleEntries, ["link", "z"]),
        PackPart.Changes([edited], ["dir", "dir/sub", "dir/sub/x"]),
        PackPart.Changes([PackForge.File("dir", [6])], ["dir/sub", "dir/sub/x"]),
        PackPart.Changes([PackForge.Folder("z"), PackForge.File("z/y", [7])], ["a/d"]),
        PackPart.Changes([], [], [("a", "dir/a")]),
        PackPart.Changes([PackForge.File("dir/e", [8])], ["a/sub/x"], [("a", "dir"), ("dir", "a")]),
        PackPart.Changes([PackForge.Folder("dir")], [], [("dir", "dir/sub"), ("dir/sub", "top")]),
    ];

    public override int Read(byte[] input)
    {
        var record = PackRecords.Parse(PackRecords.Changes, input);
        Entry[] put = [.. record.Put.Select(EntryRecords.Decode)];
        EntryPath[] removed = [.. record.Removed.Select(path => EntryPath.Parse(path.Span))];
        _ = PackForge.Start.Root;
        DirectoryMove[] moves = [.. record.Moved.Select(move => new DirectoryMove(EntryPath.Parse(move.OldPath.Span), EntryPath.Parse(move.NewPath.Span)))];
        var changes = new PackChanges(moves, put, removed);
        if (PackIndex.FaultOf(PackForge.Header, changes) is { } fault)
        {
            throw new InvalidDataException(fault);
        }

        var changed = PackForge.Start.Apply(changes);
        var fresh = Manifest.FromSorted(changed.Entries);
        Promise(changed.Root == fresh.Root, "the root that was carried on is not the root of these entries");
        Promise(PackForge.Start.Apply(Manifest.Diff(PackForge.Start, changed)).Root == fresh.Root, "the difference does not lead there");
        Promise(PackForge.Start.Apply(PackChanges.Between(PackForge.Start, Manifest.Diff(PackForge.Start, changed))).Root == fresh.Root, "the difference with moves does not lead there");
        foreach (var entry in changed.Entries)
        {
            Promise(!entry.Path.Bytes.StartsWith("/"u8) && !entry.Path.Bytes.Contains((byte)0), "a path that leaves the root");
        }

        return HashCode.Combine(Rough(put.Length), Rough(removed.Length), Rough(changed.Entries.Count));
    }
}

/// <summary>A path from anywhere.</summary>
internal sealed class PathParser() : Parser("path", typeof(InvalidDataException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } =
        ["a"u8.ToArray(), "a/b/c.d"u8.ToArray(), "..a/b..c/..."u8.ToArray(), [0xff, (byte)'/', 0xfe], [.. Enumerable.Repeat((byte)'n', 255)], []];

    public override (long Fixed, int PerByte) Allocation => (64 << 10, 512);

    public override int Read(byte[] input)
    {
        var path = EntryPath.Parse(input);
        Same(input, path.Bytes, "a path is other bytes than were read");
        var (depth, again) = (0, EntryPath.Root);
        foreach (var range in path.Bytes.Split((byte)'/'))
        {
            var name = path.Bytes[range];
            Promise(path.IsRoot || (name.Length is > 0 and <= EntryPath.MaxNameLength && !name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8)), "a name that leads elsewhere");
            again = path.IsRoot ? again : again.Append(name);
            depth++;
        }

        Promise(again == path && path.IsWithin(path.Parent) && path.CompareTo(again) == 0, "a path is not its names");
        return Rough(depth);
    }
}
