using System.Buffers.Binary;

namespace Mirror.Fuzz;

/// <summary>Makes bytes that are nearly right: what gets past the first check is what finds the second one missing. Deterministic in its random source.</summary>
internal sealed class Mutator(Random random)
{
    private static readonly byte[] edges = [0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF, (byte)'\n', (byte)'/', (byte)'.', (byte)'"'];

    private static readonly ulong[] numbers =
    [
        0, 1, 2, 3, 31, 32, 33, 127, 128, 255, 256, 511, 512, 4095, 4096, 65535, 65536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, int.MaxValue - 1, int.MaxValue, 1u << 31, uint.MaxValue,
        1UL << 32, 1UL << 60, (1UL << 60) + 1, long.MaxValue - 1, long.MaxValue, 1UL << 63, ulong.MaxValue - 1, ulong.MaxValue,
    ];

    private static readonly byte[][] words =
    [
        "../"u8.ToArray(), "//"u8.ToArray(), "/./"u8.ToArray(), "/etc/passwd"u8.ToArray(), "null"u8.ToArray(), "[]"u8.ToArray(), "{}"u8.ToArray(), "**/"u8.ToArray(), "&a [*a]"u8.ToArray(),
        "!!str "u8.ToArray(), ": "u8.ToArray(), "\n- "u8.ToArray(), "\n---\n"u8.ToArray(), "-1"u8.ToArray(), "1e999"u8.ToArray(), "18446744073709551616"u8.ToArray(), "\\u0000"u8.ToArray(),
        "\\ud800"u8.ToArray(), [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xEF, 0xBB, 0xBF],
    ];

    /// <param name="other">Another input of the same parser, to take pieces from.</param>
    public byte[] Mutate(byte[] input, byte[] other, int maxLength)
    {
        var bytes = new List<byte>(input);
        for (var changes = 1 + (random.Next(4) == 0 ? random.Next(12) : random.Next(3)); changes > 0; changes--)
        {
            Change(bytes, other);
        }

        if (bytes.Count > maxLength)
        {
            bytes.RemoveRange(maxLength, bytes.Count - maxLength);
        }

        return [.. bytes];
    }

    public byte[] Noise(int maxLength)
    {
        var bytes = new byte[random.Next(random.Next(4) == 0 ? Math.Min(maxLength, 4096) : 64)];
        random.NextBytes(bytes);
        return bytes;
    }

    private void Change(List<byte> bytes, byte[] other)
    {
        var at = random.Next(bytes.Count + 1);
        var length = Math.Min(bytes.Count - at, 1 + (random.Next(3) == 0 ? random.Next(1 + (bytes.Count / 2)) : random.Next(8)));
        switch (random.Next(14))
        {
            case 0 or 1 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 2 when at < bytes.Count:
                bytes[at] = edges[random.Next(edges.Length)];
                break;
            case 3 when at < bytes.Count:
                bytes[at] = (byte)(bytes[at] + random.Next(-3, 4));
                break;
            case 4:
                bytes.RemoveRange(at, length);
                break;
            case 5:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 6:
                // Twice the same, at once or elsewhere.
                bytes.InsertRange(random.Next(2) == 0 ? at : random.Next(bytes.Count + 1), bytes.GetRange(at, length));
                break;
            case 7:
                var noise = new byte[1 + random.Next(8)];
                random.NextBytes(noise);
                bytes.InsertRange(at, noise);
                break;
            case 8:
                bytes.InsertRange(at, words[random.Next(words.Length)]);
                break;
            case 9:
                Overwrite(bytes, at, Fixed());
                break;
            case 10:
                ReplaceVarint(bytes, at);
                break;
            case 11:
                AdjustVarint(bytes, at);
                break;
            case 12 when other.Length > 0:
                var from = random.Next(other.Length);
                var piece = other.AsSpan(from, random.Next(Math.Min(other.Length - from, 600) + 1)).ToArray();
                if (random.Next(2) == 0)
                {
                    bytes.RemoveRange(at, Math.Min(piece.Length, bytes.Count - at));
                }

                bytes.InsertRange(at, piece);
                break;
            case 13 when other.Length > 0:
                // The head of the one, the tail of the other.
                bytes.RemoveRange(at, bytes.Count - at);
                bytes.AddRange(other.AsSpan(random.Next(other.Length)).ToArray());
                break;
        }
    }

    private static void Overwrite(List<byte> bytes, int at, byte[] with)
    {
        for (var i = 0; i < with.Length && at + i < bytes.Count; i++)
        {
            bytes[at + i] = with[i];
        }
    }

    /// <summary>A number of four or eight bytes, lowest first: as lengths and offsets are written.</summary>
    private byte[] Fixed()
    {
        var bytes = new byte[random.Next(2) == 0 ? sizeof(uint) : sizeof(ulong)];
        var number = numbers[random.Next(numbers.Length)];
        if (bytes.Length == sizeof(uint))
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)number);
        }
        else
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, number);
        }

        return bytes;
    }

    /// <summary>What may be a number of seven bits a byte becomes another one, now and then in more bytes than it needs.</summary>
    private void ReplaceVarint(List<byte> bytes, int at)
    {
        RemoveVarint(bytes, at);
        var number = numbers[random.Next(numbers.Length)];
        bytes.InsertRange(at, Varint(random.Next(2) == 0 ? number : (ulong)random.NextInt64() >> random.Next(63), padded: random.Next(8) == 0));
    }

    private void AdjustVarint(List<byte> bytes, int at)
    {
        var number = RemoveVarint(bytes, at);
        bytes.InsertRange(at, Varint(unchecked(number + (ulong)random.Next(-4, 5)), padded: false));
    }

    private static ulong RemoveVarint(List<byte> bytes, int at)
    {
        ulong number = 0;
        for (var shift = 0; at < bytes.Count && shift < 64; shift += 7)
        {
            var last = bytes[at];
            number |= (ulong)(last & 0x7F) << shift;
            bytes.RemoveAt(at);
            if (last < 0x80)
            {
                break;
            }
        }

        return number;
    }

    private static List<byte> Varint(ulong number, bool padded)
    {
        var bytes = new List<byte>();
        for (; number >= 0x80; number >>= 7)
        {
            bytes.Add((byte)(number | 0x80));
        }

        bytes.Add((byte)(padded ? number | 0x80 : number));
        if (padded)
        {
            bytes.Add(0);
        }

        return bytes;
    }
}
