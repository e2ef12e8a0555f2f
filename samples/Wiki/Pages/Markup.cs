using System.Text;
using System.Text.RegularExpressions;
using Wiki.Web;

namespace Wiki.Pages;

/// <summary>
/// A small part of Markdown: headings, lists, code, bold, emphasis, links, and <c>[[Page]]</c>. The text is encoded first and marked up second, so nothing in a page can become HTML that is
/// not listed here.
/// </summary>
public sealed partial class Markup(Func<PageName, bool> exists)
{
    private readonly StringBuilder _html = new();
    private string? _open;

    public static Html Render(string text, Func<PageName, bool> exists) => new Markup(exists).Render(text);

    private Html Render(string text)
    {
        foreach (var line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            Line(line);
        }

        Switch(null);
        return Html.Trust(_html.ToString());
    }

    private void Line(string line)
    {
        if (line.StartsWith("```", StringComparison.Ordinal))
        {
            Switch(_open == "pre" ? null : "pre");
        }
        else if (_open == "pre")
        {
            _html.Append(Html.Encode(line)).Append('\n');
        }
        else if (line.Length == 0)
        {
            Switch(null);
        }
        else if (Heading().Match(line) is { Success: true } heading)
        {
            Switch(null);
            var level = heading.Groups[1].Length;
            _html.Append($"<h{level}>{Inline(heading.Groups[2].Value)}</h{level}>\n");
        }
        else if (line.StartsWith("- ", StringComparison.Ordinal) || line.StartsWith("* ", StringComparison.Ordinal))
        {
            Switch("ul");
            _html.Append($"<li>{Inline(line[2..])}</li>\n");
        }
        else
        {
            Switch("p");
            _html.Append(Inline(line)).Append('\n');
        }
    }

    private void Switch(string? element)
    {
        if (_open == element)
        {
            return;
        }

        if (_open is not null)
        {
            _html.Append($"</{_open}>\n");
        }

        if (element is not null)
        {
            _html.Append($"<{element}>");
        }

        _open = element;
    }

    private string Inline(string text)
    {
        // Code first and apart: nothing inside it is marked up.
        var parts = Html.Encode(text).ToString().Split('`');
        for (var i = 0; i < parts.Length; i++)
        {
            parts[i] = i % 2 == 1 && i < parts.Length - 1 ? $"<code>{parts[i]}</code>" : (i % 2 == 1 ? "`" : "") + Marks(parts[i]);
        }

        return string.Concat(parts);
    }

    private string Marks(string encoded)
    {
        encoded = PageLink().Replace(encoded, match => LinkTo(match.Groups[1].Value));
        encoded = Link().Replace(encoded, "<a href=\"$2\">$1</a>");
        encoded = Bold().Replace(encoded, "<strong>$1</strong>");
        return Emphasis().Replace(encoded, "<em>$1</em>");
    }

    private string LinkTo(string text) =>
        PageName.TryParse(text, out var name) ? $"<a{(exists(name) ? "" : " class=\"missing\"")} href=\"/pages/{name}\">{name}</a>" : $"[[{text}]]";

    [GeneratedRegex("^(#{1,4}) +(.+)$")]
    private static partial Regex Heading();

    [GeneratedRegex(@"\[\[([A-Za-z0-9_-]+)\]\]")]
    private static partial Regex PageLink();

    // Only web addresses and paths of this site: no "javascript:" and its kind, and no quote can be left, since the text is encoded.
    [GeneratedRegex(@"\[([^\[\]]+)\]\(((?:https?://|/)[^\s()<>]*)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"\*\*(\S(?:.*?\S)?)\*\*")]
    private static partial Regex Bold();

    [GeneratedRegex(@"(?<![\w/])_(\S(?:.*?\S)?)_(?![\w/])")]
    private static partial Regex Emphasis();
}
