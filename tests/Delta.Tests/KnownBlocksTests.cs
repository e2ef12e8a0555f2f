namespace Mirror.Delta.Tests;

/// <summary>Blocks that stayed on the basis's grid take their hashes from its signature; nobody can tell.</summary>
public sealed class KnownBlocksTests
{
    private const int MiB = 1 << 20;
    private static readonly byte[] content = Deltas.Random((9 * MiB) + 321, 1);

    public static TheoryData<string> Edits => ["same", "appended", "cut", "overwritten", "a block more", "a byte more", "halves swapped", "twice", "a short tail"];

    [Theory]
    [MemberData(nameof(Edits))]
    public async Task The_signature_that_falls_out_of_a_diff_is_that_of_the_new_content(string edit)
    {
        byte[] changed = Edited(edit);
        foreach (WholeHash hash in Enum.GetValues<WholeHash>())
        {
            ContentDigest digest = await FileDelta.EncodeAsync(new MemoryStream(changed), Deltas.Sign(content), Deltas.Key, Stream.Null, default, hash);
            Assert.Equal(Deltas.Store(Deltas.Sign(changed)), Deltas.Store(digest.Signature));
        }
    }

    private static byte[] Edited(string edit)
    {
        int block = BlockSignature.BlockLengthFor(content.Length);
        switch (edit)
        {
            case "appended": return [.. content, .. Deltas.Random(3 * MiB, 2)];
            case "cut": return content[..(5 * MiB)];
            case "overwritten":
                byte[] overwritten = [.. content];
                for (int at = 100; at < content.Length; at += 700_001)
                {
                    overwritten[at] ^= 1;
                }
                return overwritten;
            case "a block more": return [.. content[..(4 * MiB)], .. Deltas.Random(block, 3), .. content[(4 * MiB)..]];
            case "a byte more": return [.. content[..(4 * MiB)], 7, .. content[(4 * MiB)..]];
            case "halves swapped": return [.. content[(4 * MiB)..(8 * MiB)], .. content[..(4 * MiB)], .. content[(8 * MiB)..]];
            case "twice": return [.. content, .. content];
            case "a short tail": return content[(8 * MiB)..];
            default: return content;
        }
    }
}
