using System.Diagnostics.CodeAnalysis;
using System.Text;
using DiffPlex.Renderer;

namespace Mirror.Cli.Output;

/// <summary>The lines that differ between two contents, as `diff -u` and `patch` know them.</summary>
internal static class TextDiff
{
    /// <summary>Longer ones take long to compare, and nobody reads the outcome.</summary>
    public const long MostBytes = 4 << 20;

    private const int ContextLines = 3;
    private static readonly UTF8Encoding strict = new(false, true);

    public static string Of(string before, string after, string oldName, string newName)
    {
        // The renderer takes what follows the last line's end for one more line. Where only one of the two ends without, that is all there is to tell of it.
        var ended = (before.Length == 0 || before.EndsWith('\n')) && (after.Length == 0 || after.EndsWith('\n'));
        var diff = UnidiffRenderer.GenerateUnidiff(
            ended ? Unended(before) : before, ended ? Unended(after) : after, oldName, newName, ignoreWhitespace: false, ignoreCase: false, contextLines: ContextLines);

        // No lines begin after line 0; `patch` insists on it.
        return diff.Replace("@@ -1,0 +", "@@ -0,0 +", StringComparison.Ordinal).Replace(" +1,0 @@", " +0,0 @@", StringComparison.Ordinal);
    }

    private static string Unended(string text) => text.Length == 0 ? text : text[..^1];

    /// <summary>False for what is no text: not UTF-8, or with NUL.</summary>
    public static bool TryDecode(byte[] content, [NotNullWhen(true)] out string? text)
    {
        try
        {
            text = content.AsSpan().Contains((byte)0) ? null : strict.GetString(content);
        }
        catch (DecoderFallbackException)
        {
            text = null;
        }

        return text is not null;
    }
}
