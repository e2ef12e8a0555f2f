namespace Mirror.Primary.Capture.Ignore;

/// <summary>
/// The wildcards of a gitignore pattern, taken apart once and compared without making anything: it is asked for every entry of a tree. Time is bounded by the product of the lengths
/// whatever the pattern, since any path can lie in a tree.
/// </summary>
internal sealed class Wildcards
{
    private enum Kind : byte
    {
        Literal,

        /// <summary>One byte of a name.</summary>
        Any,

        /// <summary>One byte of a name out of a set.</summary>
        Class,

        /// <summary>Any bytes of a name.</summary>
        Star,

        /// <summary>Any bytes.</summary>
        Deep,

        /// <summary>Nothing, or any directories with the slash behind them.</summary>
        DeepSlash,
    }

    private readonly record struct Step(Kind Kind, byte Byte, int Class);

    private readonly Step[] steps;
    private readonly ByteSet[] classes;

    private Wildcards(Step[] steps, ByteSet[] classes)
    {
        this.steps = steps;
        this.classes = classes;
    }

    /// <param name="withinNames">A single star stops at a slash, and two are directories; false for names, which have none.</param>
    /// <returns>Null for a pattern that git finds malformed, and that therefore matches nothing.</returns>
    public static Wildcards? Compile(ReadOnlySpan<byte> pattern, bool withinNames)
    {
        var steps = new List<Step>(pattern.Length);
        var classes = new List<ByteSet>();
        for (var at = 0; at < pattern.Length;)
        {
            switch (pattern[at])
            {
                case (byte)'\\':
                    if (++at == pattern.Length)
                    {
                        return null;
                    }

                    steps.Add(new Step(Kind.Literal, pattern[at++], 0));
                    break;
                case (byte)'?':
                    steps.Add(new Step(Kind.Any, 0, 0));
                    at++;
                    break;
                case (byte)'[':
                    if (ByteSet.Parse(pattern[at..], out var length) is not { } set)
                    {
                        return null;
                    }

                    steps.Add(new Step(Kind.Class, 0, classes.Count));
                    classes.Add(set);
                    at += length;
                    break;
                case (byte)'*':
                    at = Stars(pattern, at, withinNames, steps);
                    break;
                default:
                    steps.Add(new Step(Kind.Literal, pattern[at++], 0));
                    break;
            }
        }

        return new Wildcards([.. steps], [.. classes]);
    }

    /// <summary>
    /// On a mismatch the last star takes one byte more, up to the next slash, and then the last two stars do. Earlier ones need not be tried again: whatever they took more,
    /// a later one could take as well.
    /// </summary>
    public bool Match(ReadOnlySpan<byte> text)
    {
        int step = 0, at = 0;
        int star = -1, starAt = 0;
        int deep = -1, deepAt = 0;
        while (true)
        {
            if (step == steps.Length)
            {
                if (at == text.Length)
                {
                    return true;
                }
            }
            else
            {
                var now = steps[step];
                switch (now.Kind)
                {
                    case Kind.Star:
                        star = ++step;
                        starAt = at;
                        continue;
                    case Kind.Deep or Kind.DeepSlash:
                        deep = ++step;
                        deepAt = at;
                        star = -1;
                        continue;
                    case Kind.Literal when at < text.Length && text[at] == now.Byte:
                    case Kind.Any when at < text.Length && text[at] != '/':
                    case Kind.Class when at < text.Length && text[at] != '/' && classes[now.Class].Contains(text[at]):
                        step++;
                        at++;
                        continue;
                    default:
                        break;
                }
            }

            if (star >= 0 && starAt < text.Length && text[starAt] != '/')
            {
                step = star;
                at = ++starAt;
                continue;
            }

            star = -1;
            if (deep < 0 || !TakeMore(text, steps[deep - 1].Kind, ref deepAt))
            {
                return false;
            }

            step = deep;
            at = deepAt;
        }
    }

    private static bool TakeMore(ReadOnlySpan<byte> text, Kind kind, ref int at)
    {
        if (kind == Kind.Deep)
        {
            return at++ < text.Length;
        }

        var slash = text[at..].IndexOf((byte)'/');
        at += slash + 1;
        return slash >= 0;
    }

    // Two stars mean directories when they fill a place between slashes; elsewhere, and three and more, they are as one.
    private static int Stars(ReadOnlySpan<byte> pattern, int at, bool withinNames, List<Step> steps)
    {
        var end = at;
        while (end < pattern.Length && pattern[end] == '*')
        {
            end++;
        }

        var rest = pattern[end..];
        var fills = withinNames && end - at > 1 && (at == 0 || pattern[at - 1] == '/') && (rest.IsEmpty || rest[0] == '/' || rest.StartsWith("\\/"u8));
        if (!fills)
        {
            steps.Add(new Step(Kind.Star, 0, 0));
        }
        else if (!rest.IsEmpty && rest[0] == '/')
        {
            steps.Add(new Step(Kind.DeepSlash, 0, 0));
            end++;
        }
        else
        {
            steps.Add(new Step(Kind.Deep, 0, 0));
        }

        return end;
    }
}
