namespace Mirror.Bench.Workloads;

/// <summary>
/// A disk image's kind of file: blocks of 64 KiB, half of them random, half with four bits of entropy a byte. Between the versions lie edits scattered all over it, in place and
/// not, and new bytes at its end.
/// </summary>
internal static class BigFile
{
    public const string FileName = "big.bin";

    private const int BlockLength = 64 << 10;
    private const int Overwrites = 200, OverwrittenBytes = 64;
    private const int Insertions = 50, InsertedBytes = 100;
    private const int Deletions = 20, DeletedBytes = 1024;

    private enum EditKind
    {
        Overwrite,
        Insert,
        Delete,
    }

    public static void Make(string[] versions, double scale)
    {
        var random = new SeededRandom(20240601);
        var length = Math.Max(1L << 20, (long)((1L << 30) * scale));
        var first = Path.Combine(versions[0], FileName);
        using (var file = File.Create(first, 0))
        {
            WriteBlocks(file, random, length);
        }

        using (var old = File.OpenRead(first))
        using (var now = File.Create(Path.Combine(versions[1], FileName), 1 << 20))
        {
            WriteEdited(old, now, random);
            var appended = new byte[(int)((8 << 20) * Math.Min(1, scale))];
            random.Fill(appended);
            now.Write(appended);
        }
    }

    private static void WriteBlocks(FileStream file, SeededRandom random, long length)
    {
        var block = new byte[BlockLength];
        for (var left = length; left > 0; left -= block.Length)
        {
            var part = block.AsSpan(0, (int)Math.Min(left, block.Length));
            random.Fill(part);
            if (random.OneIn(2))
            {
                foreach (ref var value in part)
                {
                    value = "0123456789abcdef"u8[value & 15];
                }
            }

            file.Write(part);
        }
    }

    private static void WriteEdited(FileStream old, FileStream now, SeededRandom random)
    {
        EditKind[] kinds = [.. Enumerable.Repeat(EditKind.Overwrite, Overwrites), .. Enumerable.Repeat(EditKind.Insert, Insertions), .. Enumerable.Repeat(EditKind.Delete, Deletions)];
        var edits = kinds.Select(kind => (At: random.Below(old.Length - 4096), Kind: kind)).OrderBy(edit => edit.At).ThenBy(edit => edit.Kind).ToArray();
        var fresh = new byte[Math.Max(OverwrittenBytes, InsertedBytes)];
        foreach (var (at, kind) in edits)
        {
            if (at < old.Position)
            {
                continue; // The edit before reached over this place.
            }

            Copy(old, now, at - old.Position);
            random.Fill(fresh);
            switch (kind)
            {
                case EditKind.Overwrite:
                    now.Write(fresh, 0, OverwrittenBytes);
                    old.Position += OverwrittenBytes;
                    break;
                case EditKind.Insert:
                    now.Write(fresh, 0, InsertedBytes);
                    break;
                case EditKind.Delete:
                    old.Position += DeletedBytes;
                    break;
            }
        }

        Copy(old, now, old.Length - old.Position);
    }

    private static void Copy(FileStream from, FileStream to, long bytes)
    {
        var buffer = new byte[1 << 20];
        for (var left = bytes; left > 0;)
        {
            var part = buffer.AsSpan(0, (int)Math.Min(left, buffer.Length));
            from.ReadExactly(part);
            to.Write(part);
            left -= part.Length;
        }
    }
}
