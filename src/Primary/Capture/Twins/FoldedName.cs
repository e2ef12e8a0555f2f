using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Mirror.Primary.Capture.Twins;

/// <summary>
/// A file name without what some file systems overlook: upper and lower case, and whether an accented letter is one character or two. The runtime knows no Unicode forms here
/// (globalization is invariant), so the decompositions come along, and are read when the first name needs them.
/// </summary>
internal static class FoldedName
{
    private const int HangulFirst = 0xac00;
    private const int HangulLast = 0xd7a3;
    private const int LeadFirst = 0x1100;
    private const int VowelFirst = 0x1161;
    private const int TailBefore = 0x11a7;
    private const int Vowels = 21;
    private const int Tails = 28;

    private static readonly UTF8Encoding strict = new(false, true);
    private static readonly Lazy<FrozenDictionary<int, string>> decompositions = new(Load);

    /// <summary>Null for a name that is not text: nobody sees more in it than its bytes.</summary>
    public static string? Of(ReadOnlySpan<byte> name)
    {
        if (Ascii.IsValid(name))
        {
            return Encoding.ASCII.GetString(name).ToLowerInvariant();
        }

        if (!System.Text.Unicode.Utf8.IsValid(name))
        {
            return null;
        }

        var folded = new StringBuilder(name.Length);
        foreach (var rune in strict.GetString(name).EnumerateRunes())
        {
            Decompose(rune, folded);
        }

        // Upper and then lower, for letters such as ς and σ that have one capital.
        return folded.ToString().ToUpperInvariant().ToLowerInvariant();
    }

    private static void Decompose(Rune rune, StringBuilder into)
    {
        if (rune.Value is >= HangulFirst and <= HangulLast)
        {
            var syllable = rune.Value - HangulFirst;
            into.Append((char)(LeadFirst + (syllable / (Vowels * Tails)))).Append((char)(VowelFirst + (syllable % (Vowels * Tails) / Tails)));
            if (syllable % Tails > 0)
            {
                into.Append((char)(TailBefore + (syllable % Tails)));
            }
        }
        else if (!rune.IsAscii && decompositions.Value.TryGetValue(rune.Value, out var parts))
        {
            into.Append(parts);
        }
        else
        {
            into.Append(rune.ToString());
        }
    }

    private static FrozenDictionary<int, string> Load()
    {
        using var stream = typeof(FoldedName).Assembly.GetManifestResourceStream("decompositions.txt")
            ?? throw new InvalidOperationException("The table of Unicode decompositions is not in the program.");
        using var reader = new StreamReader(stream, Encoding.ASCII);
        var table = new Dictionary<int, string>();
        while (reader.ReadLine() is { } line)
        {
            if (!line.StartsWith('#'))
            {
                var runes = line.Split(' ').Select(static text => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)).ToList();
                table[runes[0]] = string.Concat(runes.Skip(1).Select(char.ConvertFromUtf32));
            }
        }

        return table.ToFrozenDictionary();
    }
}
