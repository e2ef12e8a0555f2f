using static Mirror.Delta.Tests.Deltas;

namespace Mirror.Delta.Tests;

/// <summary>What edits cost, by example.</summary>
public sealed class FileDeltaTests
{
    private const int MiB = 1 << 20;

    [Fact]
    public void An_unchanged_content_costs_one_copy()
    {
        byte[] content = Deltas.Random((3 * MiB) + 77, 1);
        Assert.Equal([Copy(0, content.Length)], Operations(Encode(content, content)));
    }

    [Fact]
    public void An_unchanged_content_of_one_letter_costs_one_copy()
    {
        byte[] content = new byte[MiB + 77];
        Assert.Equal([Copy(0, content.Length)], Operations(Encode(content, content)));
    }

    [Fact]
    public void A_byte_inserted_at_the_front_costs_less_than_two_blocks()
    {
        byte[] content = Deltas.Random(MiB, 1);
        byte[] delta = Encode(content, [0x2A, .. content]);
        Assert.InRange(delta.Length, 1, 2 * BlockSignature.BlockLengthFor(MiB));
        Assert.Equal([Literal(1), Copy(0, content.Length)], Operations(delta));
    }

    [Fact]
    public void A_byte_overwritten_in_the_middle_costs_one_piece()
    {
        byte[] content = Deltas.Random(MiB, 1);
        byte[] changed = [.. content];
        changed[MiB / 2] ^= 1;
        Assert.Equal(Sign(content).PieceLength, LiteralBytes(Encode(content, changed)));
    }

    [Fact]
    public void A_row_that_vanishes_costs_less_than_two_pieces()
    {
        byte[] content = Deltas.Random(MiB, 1);
        for (int at = 100_000; at < 103_000; at += 97)
        {
            Assert.InRange(LiteralBytes(Encode(content, [.. content[..at], .. content[(at + 97)..]])), 0, 2 * Sign(content).PieceLength);
        }
    }

    [Fact]
    public void With_the_basis_at_hand_an_edit_costs_the_edit()
    {
        byte[] content = Deltas.Random(MiB, 1);
        byte[] changed = [.. content[..300_000], 1, 2, 3, .. content[300_000..500_000], .. content[500_097..]];
        changed[MiB / 4] ^= 1;
        byte[] delta = EncodeExact(content, changed);
        Assert.Equal(changed, Apply(content, delta));
        Assert.Equal(4, LiteralBytes(delta));
        Assert.InRange(delta.Length, 4, 40);
    }

    [Fact]
    public void With_the_basis_at_hand_rows_that_moved_far_away_are_copied()
    {
        // As a database dumps a table: an updated row vanishes from its place and comes back at the end, with another balance.
        Random random = new(1);
        List<string> rows = [.. Enumerable.Range(1, 20_000).Select(i => $"{i}\t{i % 7}\t0\t{string.Concat(Enumerable.Range(0, 84).Select(_ => "0123456789abcdef"[random.Next(16)]))}\n")];
        byte[] content = System.Text.Encoding.ASCII.GetBytes(string.Concat(rows));
        for (int i = 0; i < 150; i++)
        {
            int row = random.Next(18_000);
            string[] fields = rows[row].Split('\t');
            rows.RemoveAt(row);
            rows.Add($"{fields[0]}\t{fields[1]}\t{random.Next(5000)}\t{fields[3]}");
        }
        byte[] changed = System.Text.Encoding.ASCII.GetBytes(string.Concat(rows));
        byte[] forward = EncodeExact(content, changed);
        Assert.Equal(changed, Apply(content, forward));
        Assert.InRange(forward.Length, 150 * 10, 150 * 35);
        // The reverse finds them too, also from a delta that was made without the basis.
        byte[] reverse = Invert(content, changed, Encode(content, changed));
        Assert.Equal(content, Apply(changed, reverse));
        Assert.InRange(reverse.Length, 150 * 10, 150 * 35);
    }

    [Fact]
    public void An_appended_line_costs_the_line_and_the_short_piece_before_it()
    {
        byte[] content = Deltas.Random(MiB + 10, 1);
        Assert.Equal(10 + 100, LiteralBytes(Encode(content, [.. content, .. Deltas.Random(100, 2)])));
    }

    [Fact]
    public void The_short_last_piece_matches_at_the_end_of_a_changed_target()
    {
        byte[] content = Deltas.Random(MiB + 10, 1);
        byte[] delta = Encode(content, [.. Deltas.Random(33, 2), .. content]);
        Assert.Equal(33, LiteralBytes(delta));
    }

    [Fact]
    public void A_content_shorter_than_a_block_matches_whole()
    {
        byte[] content = Deltas.Random(100, 1);
        Assert.Equal([Copy(0, 100)], Operations(Encode(content, content)));
        Assert.Equal(5, LiteralBytes(Encode(content, [.. Deltas.Random(5, 2), .. content])));
    }

    [Fact]
    public void Swapped_halves_cost_two_copies()
    {
        byte[] content = Deltas.Random(MiB, 1);
        Assert.Equal(
            [Copy(MiB / 2, MiB / 2), Copy(0, MiB / 2)],
            Operations(Encode(content, [.. content[(MiB / 2)..], .. content[..(MiB / 2)]])));
    }

    [Fact]
    public void Where_the_basis_repeats_itself_a_long_stretch_is_still_one_copy()
    {
        // The first zeros are a short stretch: taking them again and again would cost a copy for every three blocks.
        int block = BlockSignature.BlockLengthFor(MiB);
        byte[] content = [.. new byte[3 * block], .. Deltas.Random(block, 1), .. new byte[512 * block], .. Deltas.Random(block, 2)];
        byte[] changed = [.. new byte[3 * block], .. Deltas.Random(2 * block, 3), .. new byte[512 * block], .. Deltas.Random(block, 2)];
        Assert.InRange(Operations(Encode(content, changed)).Count, 3, 8);
    }

    [Fact]
    public void A_reverse_delta_costs_the_edits_and_not_the_blocks_they_touch()
    {
        byte[] content = Deltas.Random(MiB, 1);
        byte[] changed = [.. content];
        for (int i = 0; i < 10; i++)
        {
            changed[(i * 100_000) + 5_000] ^= 1;
        }
        byte[] reverse = Invert(content, changed, Encode(content, changed));
        Assert.Equal(10, LiteralBytes(reverse));
        Assert.InRange(reverse.Length, 10, 150);
    }

    [Fact]
    public void Inverting_an_insertion_costs_no_literal()
    {
        byte[] content = Deltas.Random(MiB, 1);
        byte[] changed = [.. content[..777_777], .. Deltas.Random(5_000, 2), .. content[777_777..]];
        Assert.Equal(0, LiteralBytes(Invert(content, changed, Encode(content, changed))));
    }

    [Fact]
    public void Edits_close_together_cost_no_more_in_reverse_than_edits_far_apart()
    {
        // Three rows in every block change, one of them its length, and one row moves to the next block.
        string[] rows = [.. Enumerable.Range(0, 20_000).Select(i => $"{i}\t{i * 7919 % 100_003}\t{i * 104_729 % 1_000_003:x}\n")];
        byte[] content = Utf8(rows);
        for (int i = 0; i + 100 < rows.Length; i += 50)
        {
            rows[i] = $"{i}\t-\t0\n";
            rows[i + 5] = rows[i + 5].Replace('7', '1');
            (rows[i + 9], rows[i + 90]) = ("", rows[i + 9] + rows[i + 90]);
        }
        byte[] changed = Utf8(rows);
        byte[] forward = Encode(content, changed);
        byte[] reverse = Invert(content, changed, forward);
        Assert.Equal(content, Apply(changed, reverse));
        Assert.InRange(reverse.Length, 400, 400 * 40);
        Assert.InRange(forward.Length, 10 * reverse.Length, content.Length);

        static byte[] Utf8(string[] rows) => System.Text.Encoding.UTF8.GetBytes(string.Concat(rows));
    }

    [Fact]
    public void Inverting_the_replacement_of_everything_costs_the_old_content()
    {
        byte[] content = Deltas.Random(5 * MiB, 1);
        byte[] other = Deltas.Random(3 * MiB, 2);
        byte[] reverse = Invert(content, other, Encode(content, other));
        Assert.Equal(content, Apply(other, reverse));
        Assert.InRange(reverse.Length, content.Length, content.Length + 200);
    }

    [Fact]
    public void Deltas_that_undo_each_other_compose_to_copies_around_what_the_first_did_not_match()
    {
        byte[] content = Deltas.Random(MiB, 1);
        byte[] longer = [.. content[..1000], .. Deltas.Random(5_000, 2), .. content[1000..]];
        byte[] forward = Encode(content, longer);
        Assert.InRange(Operations(Compose(forward, Invert(content, longer, forward))).Count, 1, 3);
    }

    [Fact]
    public void A_window_larger_than_the_buffers_is_encoded_like_a_small_one()
    {
        // Longer than the window, with moves across its borders.
        byte[] content = Deltas.Random(11 * MiB, 1);
        byte[] changed = [.. content[(5 * MiB)..(9 * MiB)], .. Deltas.Random(700_001, 2), .. content[..(5 * MiB)], 1, 2, 3, .. content[(9 * MiB)..]];
        (byte[] delta, ContentDigest digest) = EncodeFrom(Sign(content), changed);
        Assert.Equal(changed, Apply(content, delta));
        Assert.InRange(delta.Length, 700_004, 700_004 + (4 * BlockSignature.BlockLengthFor(content.Length)) + 100);
        Assert.Equal(SignDigest(changed).Hash, digest.Hash);
        Assert.Equal(content, Apply(changed, Invert(content, changed, delta)));
        Assert.InRange(Invert(content, changed, delta).Length, 1, 100);
    }

    [Fact]
    public async Task Streams_that_trickle_and_cannot_seek_are_encoded_too()
    {
        byte[] content = Deltas.Random(300_000, 1);
        byte[] changed = [.. content[..100_000], 1, .. content[100_000..]];
        MemoryStream delta = new();
        ContentDigest digest = await FileDelta.EncodeAsync(new TricklingStream(changed), Sign(content), Key, delta, default);
        MemoryStream target = new();
        (long length, byte[] sha256) = await FileDelta.ApplyAsync(new MemoryStream(content), new TricklingStream(delta.ToArray()), target, changed.Length, default);
        Assert.Equal(changed, target.ToArray());
        Assert.Equal(digest.Length, length);
        Assert.Equal(digest.Hash, sha256);
    }

    [Fact]
    public async Task Encoding_stops_when_cancelled()
    {
        using CancellationTokenSource cancelled = new();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            FileDelta.EncodeAsync(new MemoryStream(new byte[100]), null, Key, new MemoryStream(), cancelled.Token));
    }

    /// <summary>Hands out a few bytes at a time, forward only.</summary>
    private sealed class TricklingStream(byte[] bytes) : Stream
    {
        private readonly MemoryStream _bytes = new(bytes);

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => _bytes.Read(buffer, offset, Math.Min(count, 1021));
        public override void Flush() => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
