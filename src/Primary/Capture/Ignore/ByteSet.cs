namespace Mirror.Primary.Capture.Ignore;

/// <summary>The bytes that a bracket expression of a gitignore pattern stands for: <c>[abc]</c>, <c>[a-z]</c>, <c>[!a]</c>, <c>[^a]</c>, <c>[[:digit:]]</c>. Classes are those of ASCII.</summary>
internal sealed class ByteSet
{
    private readonly ulong[] bits = new ulong[4];

    public bool Contains(byte value) => (bits[value >> 6] & (1UL << (value & 63))) != 0;

    /// <param name="pattern">Begins with the bracket.</param>
    /// <param name="length">What the expression takes, both brackets included.</param>
    /// <returns>Null when it is not closed, or names a class that does not exist.</returns>
    public static ByteSet? Parse(ReadOnlySpan<byte> pattern, out int length)
    {
        length = 0;
        var set = new ByteSet();
        var at = 1;
        var negated = at < pattern.Length && pattern[at] is (byte)'!' or (byte)'^';
        at += negated ? 1 : 0;

        // A bracket that comes first stands for itself; so does a hyphen at either end.
        int before = -1;
        for (var first = true; ; first = false)
        {
            if (at >= pattern.Length)
            {
                return null;
            }

            var value = pattern[at];
            if (value == ']' && !first)
            {
                break;
            }

            if (value == '\\')
            {
                if (++at >= pattern.Length)
                {
                    return null;
                }

                before = pattern[at++];
                set.Add(before, before);
            }
            else if (value == '-' && before > 0 && at + 1 < pattern.Length && pattern[at + 1] != ']')
            {
                at++;
                if (pattern[at] == '\\' && ++at >= pattern.Length)
                {
                    return null;
                }

                set.Add(before, pattern[at++]);
                before = -1;
            }
            else if (value == '[' && at + 1 < pattern.Length && pattern[at + 1] == ':')
            {
                var close = pattern[(at + 2)..].IndexOf((byte)']');
                if (close < 0)
                {
                    return null;
                }

                var name = pattern.Slice(at + 2, close);
                if (name.Length > 0 && name[^1] == ':')
                {
                    if (!set.AddClass(name[..^1]))
                    {
                        return null;
                    }

                    at += close + 3;
                    before = -1;
                }
                else
                {
                    // No class after all: an ordinary bracket.
                    set.Add('[', '[');
                    before = '[';
                    at++;
                }
            }
            else
            {
                set.Add(value, value);
                before = value;
                at++;
            }
        }

        length = at + 1;
        if (negated)
        {
            for (var i = 0; i < set.bits.Length; i++)
            {
                set.bits[i] = ~set.bits[i];
            }
        }

        return set;
    }

    private void Add(int from, int to)
    {
        for (var value = from; value <= to; value++)
        {
            bits[value >> 6] |= 1UL << (value & 63);
        }
    }

    private bool AddClass(ReadOnlySpan<byte> name)
    {
        Func<char, bool>? belongs = System.Text.Encoding.ASCII.GetString(name) switch
        {
            "alnum" => char.IsAsciiLetterOrDigit,
            "alpha" => char.IsAsciiLetter,
            "blank" => static c => c is ' ' or '\t',
            "cntrl" => static c => c is < ' ' or '\x7f',
            "digit" => char.IsAsciiDigit,
            "graph" => static c => c is > ' ' and < '\x7f',
            "lower" => char.IsAsciiLetterLower,
            "print" => static c => c is >= ' ' and < '\x7f',
            "punct" => static c => c is > ' ' and < '\x7f' && !char.IsAsciiLetterOrDigit(c),
            // git's own table has no vertical tab and no form feed here.
            "space" => static c => c is ' ' or '\t' or '\n' or '\r',
            "upper" => char.IsAsciiLetterUpper,
            "xdigit" => char.IsAsciiHexDigit,
            _ => null,
        };
        for (var c = '\0'; belongs is not null && c < 128; c++)
        {
            if (belongs(c))
            {
                Add(c, c);
            }
        }

        return belongs is not null;
    }
}
