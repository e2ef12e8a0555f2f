using System.Diagnostics.CodeAnalysis;

namespace Wiki.Pages;

/// <summary>The name of a page: letters, digits, <c>_</c> and <c>-</c>, so that it is safe in a path, a URL and HTML alike.</summary>
public readonly record struct PageName : IParsable<PageName>
{
    public const int MaxLength = 80;

    private PageName(string text) => Text = text;

    public string Text { get; }

    public static bool TryParse([NotNullWhen(true)] string? text, out PageName name)
    {
        var valid = text is { Length: > 0 and <= MaxLength } && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-');
        name = valid ? new(text!) : default;
        return valid;
    }

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out PageName result) => TryParse(s, out result);

    public static PageName Parse(string s, IFormatProvider? provider) =>
        TryParse(s, out var name) ? name : throw new FormatException($"'{s}' is not the name of a page.");

    public override string ToString() => Text;
}
