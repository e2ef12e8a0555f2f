using CsCheck;

namespace Mirror.Delta.Tests;

/// <summary>
/// Contents and histories of contents of the shapes that break differs: long repeats, zeros, text with few letters, pieces that almost match, edits at block
/// borders, moves, and lengths around a block, a multiple of it, nothing and one.
/// </summary>
internal static class Contents
{
    private const int Block = BlockSignature.MinBlockLength;

    private static readonly Gen<int> Length = Gen.Frequency(
        (1, Gen.Const(0)),
        (1, Gen.Const(1)),
        (3, Gen.Select(Gen.Int[0, 6], Gen.Int[-2, 2], (blocks, off) => Math.Max(0, (blocks * Block) + off))),
        (3, Gen.Int[0, 4 * Block]),
        (1, Gen.Int[0, 40 * Block]));

    private static readonly Gen<byte[]> Piece = Gen.Select(Length, Gen.Int[0, 5], Gen.Int, (length, shape, seed) =>
    {
        byte[] bytes = new byte[length];
        Random random = new(seed);
        switch (shape)
        {
            case 0:
                break;
            case 1:
                random.NextBytes(bytes);
                break;
            case 2:
                // A period that does not divide a block.
                byte[] period = new byte[random.Next(1, 300)];
                random.NextBytes(period);
                for (int i = 0; i < length; i++)
                {
                    bytes[i] = period[i % period.Length];
                }
                break;
            case 3:
                // Blocks out of a small set: equal ones at many places.
                for (int i = 0; i < length; i++)
                {
                    bytes[i] = (byte)((i / Block * 7 % 3) + (i % Block % 5));
                }
                break;
            case 4:
                // Zeros with a rare mark: blocks that almost match.
                for (int i = random.Next(1, 2 * Block); i < length; i += random.Next(1, 2 * Block))
                {
                    bytes[i] = 1;
                }
                break;
            default:
                for (int i = 0; i < length; i++)
                {
                    bytes[i] = (byte)('a' + random.Next(2));
                }
                break;
        }
        return bytes;
    });

    public static readonly Gen<byte[]> Any = Gen.Select(Piece.Array[0, 4], pieces => pieces.SelectMany(p => p).ToArray());

    private static readonly Gen<Func<byte[], byte[]>> Edit = Gen.Select(Gen.Int[0, 8], Gen.Int[0, int.MaxValue], Gen.Int[0, int.MaxValue], Piece, Any,
        (kind, x, y, piece, other) => (Func<byte[], byte[]>)(content =>
        {
            int at = x % (content.Length + 1);
            int border = Math.Clamp((x % ((content.Length / Block) + 1) * Block) + (y % 3) - 1, 0, content.Length);
            int length = Math.Min(y % (3 * Block), content.Length - at);
            return kind switch
            {
                0 => [.. content[..at], .. piece, .. content[at..]],
                1 => [.. content[..at], .. content[(at + length)..]],
                2 => Overwrite(content, at, piece),
                3 => Overwrite(content, border, [(byte)y]),
                4 => [.. content[..border], (byte)y, .. content[border..]],
                5 => [.. content[at..], .. content[..at]],
                6 => [.. content[..at], .. content[..length], .. content[..length], .. content[at..]],
                7 => content[..at],
                _ => y % 4 == 0 ? other : [.. content, .. piece],
            };
        }));

    /// <summary>A content, and the next ones that edits make of it.</summary>
    public static Gen<byte[][]> History(int versions) =>
        Gen.Select(Any, Edit.Array[0, 4].Array[versions - 1], (first, steps) =>
        {
            List<byte[]> history = [first];
            foreach (Func<byte[], byte[]>[] step in steps)
            {
                history.Add(step.Aggregate(history[^1], (content, edit) => edit(content)));
            }
            return history.ToArray();
        });

    private static byte[] Overwrite(byte[] content, int at, byte[] piece)
    {
        byte[] changed = [.. content];
        piece.AsSpan(0, Math.Min(piece.Length, content.Length - at)).CopyTo(changed.AsSpan(at));
        return changed;
    }
}
