namespace Mirror.Delta;

/// <summary>
/// Numbers of 0 to 2^63 − 1, seven bits a byte, lowest first; the high bit says that more follow. Each number has one encoding: a padded one is malformed.
/// </summary>
internal static class Varint
{
    public const int MaxLength = 9;

    public static int Write(Span<byte> output, long value)
    {
        int length = 0;
        ulong rest = (ulong)value;
        for (; rest >= 0x80; rest >>= 7)
        {
            output[length++] = (byte)(rest | 0x80);
        }
        output[length++] = (byte)rest;
        return length;
    }

    /// <returns>Bytes read; 0: the input ends too early; negative: malformed.</returns>
    public static int Read(ReadOnlySpan<byte> input, out long value)
    {
        value = 0;
        for (int i = 0; i < MaxLength; i++)
        {
            if (i == input.Length)
            {
                return 0;
            }
            byte next = input[i];
            value |= (long)(next & 0x7F) << (7 * i);
            if (next < 0x80)
            {
                return next == 0 && i > 0 ? -1 : i + 1;
            }
        }
        return -1;
    }

    /// <summary>Small numbers of either sign become small numbers: 0, −1, 1, −2, 2 …</summary>
    public static long ZigZag(long value) => (value << 1) ^ (value >> 63);

    public static long UnZigZag(long value) => (long)((ulong)value >> 1) ^ -(value & 1);
}
