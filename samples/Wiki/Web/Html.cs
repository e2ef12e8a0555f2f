using System.Net;
using System.Runtime.CompilerServices;
using System.Text;

namespace Wiki.Web;

/// <summary>A piece of HTML. Made from interpolated strings, in which everything that is not HTML already is encoded, so that forgetting it is not possible.</summary>
public readonly record struct Html
{
    private readonly string? _text;

    private Html(string text) => _text = text;

    public static Html Empty => default;

    public static Html Of(HtmlBuilder builder) => new(builder.ToString());

    public static Html Encode(string? text) => new(WebUtility.HtmlEncode(text) ?? "");

    /// <summary>Text that is HTML. The caller answers for it.</summary>
    public static Html Trust(string text) => new(text);

    public static Html Join(IEnumerable<Html> parts) => new(string.Concat(parts.Select(part => part.ToString())));

    public override string ToString() => _text ?? "";
}

[InterpolatedStringHandler]
public readonly struct HtmlBuilder(int literalLength, int formattedCount)
{
    private readonly StringBuilder _builder = new(literalLength + (16 * formattedCount));

    public void AppendLiteral(string text) => _builder.Append(text);

    public void AppendFormatted(Html html) => _builder.Append(html.ToString());

    public void AppendFormatted(IEnumerable<Html> parts) => _builder.Append(Html.Join(parts).ToString());

    public void AppendFormatted(string? text) => _builder.Append(WebUtility.HtmlEncode(text));

    public void AppendFormatted(long number) => _builder.Append(number);

    public override string ToString() => _builder.ToString();
}
