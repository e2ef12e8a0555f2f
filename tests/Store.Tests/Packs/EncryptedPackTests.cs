using System.Buffers.Binary;
using System.Security.Cryptography;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;

namespace Mirror.Store.Tests.Packs;

public sealed class EncryptedPackTests : IDisposable
{
    private static readonly PackKey key = PackKey.From(PackSamples.Noise(PackKey.Length, 77));
    private static readonly PackKey other = PackKey.From(PackSamples.Noise(PackKey.Length, 78));
    private readonly PackSamples samples = new();

    public void Dispose() => samples.Dispose();

    [Fact]
    public async Task An_encrypted_pack_says_with_its_key_what_a_plain_one_says()
    {
        var plain = await samples.WriteSmallAsync();
        var encrypted = await samples.WriteSmallAsync(key);

        Assert.Equal(PackSamples.MeaningOf(plain), PackSamples.MeaningOf(encrypted, key));
        Assert.Equal(PackSamples.MeaningOf(plain), PackSamples.MeaningOf(encrypted, other, key));
        using var reader = PackReader.Open(encrypted, key);
        Assert.Equal(key.Id, reader.KeyId);
        reader.VerifyFrames(CancellationToken.None);
    }

    [Fact]
    public async Task Contents_of_many_frames_can_be_read_from_any_place()
    {
        var noise = PackSamples.Noise(5 << 20, 1);
        var text = Enumerable.Range(0, 3 << 20).Select(i => (byte)('a' + (i * i % 17))).ToArray();
        var path = await samples.WriteAsync([[1, 2, 3], noise, text], key: key);

        using var reader = PackReader.Open(path, key);
        Assert.Equal(text, PackSamples.ReadBlob(reader, PackSamples.Hash(text)));
        Assert.Equal([1, 2, 3], PackSamples.ReadBlob(reader, PackSamples.Hash([1, 2, 3])));
        using var delta = reader.OpenDelta(PackSamples.Hash(noise));
        delta.Position = 4_000_000;
        var part = new byte[1000];
        delta.ReadExactly(part);
        Assert.Equal(noise[4_000_000..4_001_000], part);
    }

    [Fact]
    public async Task Without_the_key_nothing_of_it_can_be_read_and_the_key_is_named()
    {
        var path = await samples.WriteSmallAsync(key);

        var none = Assert.Throws<PackKeyException>(() => PackReader.Open(path));
        Assert.Contains($"encrypted for the key {key.Id}, and no key was given", none.Message, StringComparison.Ordinal);
        var wrong = Assert.Throws<PackKeyException>(() => PackReader.Open(path, other));
        Assert.Contains($"encrypted for the key {key.Id}, and what was given is {other.Id}", wrong.Message, StringComparison.Ordinal);

        var bytes = await File.ReadAllBytesAsync(path);
        foreach (var secret in new[] { "wiki"u8.ToArray(), "pages"u8.ToArray(), "quick"u8.ToArray(), "node-1"u8.ToArray(), PackSamples.Noise(60, 1), PackSamples.Hash("root").ToArray() })
        {
            Assert.Equal(-1, bytes.AsSpan().IndexOf(secret));
        }
    }

    [Fact]
    public async Task Another_key_that_claims_to_be_the_right_one_opens_nothing()
    {
        var bytes = await File.ReadAllBytesAsync(await samples.WriteSmallAsync(key));
        other.IdBytes.CopyTo(bytes.AsSpan(48));

        var refusal = Assert.Throws<PackFormatException>(() => PackReader.Open(samples.Save(bytes), other));
        Assert.Contains("does not open with the pack's key", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_same_pack_is_never_encrypted_the_same_twice()
    {
        var first = await File.ReadAllBytesAsync(await samples.WriteSmallAsync(key));
        var second = await File.ReadAllBytesAsync(await samples.WriteSmallAsync(key));

        Assert.Equal(first.Length, second.Length);
        Assert.Equal(first[48..64], second[48..64]);
        Assert.NotEqual(first[16..48], second[16..48]);
        Assert.NotEqual(first[84..], second[84..]);
    }

    [Fact]
    public async Task An_encrypted_pack_cut_short_anywhere_is_refused()
    {
        var bytes = await File.ReadAllBytesAsync(await samples.WriteSmallAsync(key));
        for (var length = 0; length < bytes.Length; length++)
        {
            var path = samples.Save(bytes[..length]);
            Assert.Throws<PackFormatException>(() => PackReader.Open(path, key));
            File.Delete(path);
        }
    }

    [Fact]
    public async Task A_flipped_bit_anywhere_is_refused_and_so_is_one_under_a_mended_checksum()
    {
        var bytes = await File.ReadAllBytesAsync(await samples.WriteSmallAsync(key));
        var sound = bytes.ToArray();
        var path = samples.NewPath();
        for (var at = 0; at < bytes.Length; at++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                bytes[at] ^= (byte)(1 << bit);
                File.WriteAllBytes(path, bytes);
                Assert.ThrowsAny<PackFormatException>(() => PackSamples.MeaningOf(path, key));
                var mended = WithRightChecksums(bytes);
                if (!mended.AsSpan().SequenceEqual(sound))
                {
                    File.WriteAllBytes(path, mended);
                    Assert.ThrowsAny<PackFormatException>(() => PackSamples.MeaningOf(path, key));
                }

                bytes[at] ^= (byte)(1 << bit);
            }
        }
    }

    [Fact]
    public async Task Frames_exchanged_left_out_or_of_another_pack_are_refused_even_with_right_checksums()
    {
        // Frames of noise are all of one length: each fits into another's place.
        var bytes = await File.ReadAllBytesAsync(await samples.WriteAsync([PackSamples.Noise(3 << 20, 1)], key: key));
        var twin = await File.ReadAllBytesAsync(await samples.WriteAsync([PackSamples.Noise(3 << 20, 1)], key: key));
        var borders = Borders(bytes);
        var (one, two, three) = (borders[1], borders[2], borders[3]);
        Assert.Equal(two - one, three - two);

        byte[] exchanged = [.. bytes[..one], .. bytes[two..three], .. bytes[one..two], .. bytes[three..]];
        byte[] repeated = [.. bytes[..one], .. bytes[one..two], .. bytes[one..two], .. bytes[three..]];
        byte[] foreign = [.. bytes[..one], .. twin[one..two], .. bytes[two..]];
        foreach (var forged in new[] { exchanged, repeated, foreign })
        {
            using var reader = PackReader.Open(samples.Save(WithRightChecksums(forged)), key);
            var refusal = Assert.Throws<PackFormatException>(() => reader.VerifyFrames(CancellationToken.None));
            Assert.Contains("without the key", refusal.Message, StringComparison.Ordinal);
        }

        byte[] without = [.. bytes[..two], .. bytes[three..]];
        Assert.Throws<PackFormatException>(() => PackReader.Open(samples.Save(WithRightChecksums(without)), key));
    }

    [Fact]
    public async Task The_place_to_resume_is_found_without_the_key()
    {
        var bytes = await File.ReadAllBytesAsync(await samples.WriteSmallAsync(key));
        var borders = Borders(bytes);
        for (var length = 0; length <= bytes.Length; length++)
        {
            var path = samples.Save(bytes[..length]);
            Assert.Equal(borders.Prepend(0).Last(border => border <= length), PackReader.SafePrefix(path));
            File.Delete(path);
        }
    }

    [Fact]
    public async Task An_unknown_flag_and_a_newer_format_are_refused_with_advice()
    {
        var bytes = await File.ReadAllBytesAsync(await samples.WriteSmallAsync(key));
        bytes[12] |= 2;
        Assert.Contains("0x00000003); upgrade", Assert.Throws<PackFormatException>(() => PackReader.Open(samples.Save(bytes), key)).Message, StringComparison.Ordinal);
        bytes[8] = 2;
        Assert.Contains("format 2, this one reads 1; upgrade", Assert.Throws<PackFormatException>(() => PackReader.Open(samples.Save(bytes), key)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_format_can_be_read_by_somebody_who_has_only_its_description()
    {
        // docs/format.md, "Encryption", done by hand for the first frame.
        var secret = PackSamples.Noise(PackKey.Length, 77);
        var bytes = await File.ReadAllBytesAsync(await samples.WriteSmallAsync(key));
        Assert.Equal(HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, 16, info: "mirror pack key id"u8.ToArray()), bytes[48..64]);
        using var aes = new AesGcm(HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, 32, bytes[16..48], "mirror pack frames"u8.ToArray()), 16);
        var stored = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(68));
        var opened = new byte[stored - 16];
        byte[] nonce = [0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0];

        aes.Decrypt(nonce, bytes.AsSpan(84, stored - 16), bytes.AsSpan(84 + stored - 16, 16), opened, bytes.AsSpan(0, 76));

        using var reader = PackReader.Open(samples.Save(bytes), key);
        Assert.Equal(Google.Protobuf.MessageExtensions.ToByteArray(PackRecords.Encode(reader.Header)).Length, BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(72)));
    }

    [Fact]
    public void A_key_file_is_one_line_of_digits_and_anything_else_is_refused()
    {
        var digits = Convert.ToHexStringLower(PackSamples.Noise(PackKey.Length, 77));
        var path = samples.NewPath();
        foreach (var right in new[] { digits, digits + "\n", digits.ToUpperInvariant() + "\r\n" })
        {
            File.WriteAllText(path, right);
            Assert.Equal(key.Id, PackKey.ReadFile(path).Id);
        }

        foreach (var wrong in new[] { "", "\n", digits[1..], digits + "0", digits[..^1] + "g", " " + digits, digits + "\n" + digits, new string('0', 100_000) })
        {
            File.WriteAllText(path, wrong);
            Assert.Contains("openssl rand -hex 32", Assert.Throws<InvalidDataException>(() => PackKey.ReadFile(path)).Message, StringComparison.Ordinal);
        }

        Assert.Throws<ArgumentException>(() => PackKey.From(new byte[31]));
        Assert.DoesNotContain(digits, PackKey.From(PackSamples.Noise(PackKey.Length, 77)).ToString(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_transfer_resumed_at_any_frame_border_ends_in_the_same_pack()
    {
        var whole = await File.ReadAllBytesAsync(await samples.WriteAsync([PackSamples.Noise(2 << 20, 1), [1, 2, 3]], key: key));
        foreach (var border in Borders(whole))
        {
            byte[] interrupted = [.. whole[..border], .. whole[border..Math.Min(whole.Length, border + 15)]];
            var path = samples.Save(interrupted);
            var safe = (int)PackReader.SafePrefix(path);
            Assert.Equal(border, safe);
            await File.WriteAllBytesAsync(path, [.. interrupted[..safe], .. whole[safe..]]);
            using var reader = PackReader.Open(path, key);
            reader.VerifyFrames(CancellationToken.None);
        }
    }

    /// <summary>Where frames begin, and the end.</summary>
    private static List<int> Borders(byte[] bytes)
    {
        var borders = new List<int> { PackPreamble.EncryptedLength };
        while (borders[^1] < bytes.Length)
        {
            borders.Add(borders[^1] + FrameHeader.Length + BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(borders[^1] + 4)));
        }

        return borders;
    }

    /// <summary>What somebody without the key can do: recompute every checksum he can find.</summary>
    private static byte[] WithRightChecksums(byte[] bytes)
    {
        var mended = bytes.ToArray();
        for (var at = PackPreamble.EncryptedLength; at + FrameHeader.Length <= mended.Length;)
        {
            var head = mended.AsSpan(at, FrameHeader.Length);
            var stored = BinaryPrimitives.ReadUInt32LittleEndian(head[4..]);
            if (stored > mended.Length - at - FrameHeader.Length)
            {
                break;
            }

            FrameHeader.Write(
                head, (FrameKind)head[0], (FrameCodec)head[1], (int)BinaryPrimitives.ReadUInt32LittleEndian(head[8..]), mended.AsSpan(at + FrameHeader.Length, (int)stored), at);
            at += FrameHeader.Length + (int)stored;
        }

        return mended;
    }
}
