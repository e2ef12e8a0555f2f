using System.Text;

namespace Mirror.Primary.Capture.Ignore;

/// <summary>
/// One pattern in gitignore's syntax: <c>!</c> takes back, a slash at the end means directories only, a slash anywhere else ties it to the root, otherwise it is compared with
/// names at any depth. Bytes are compared with bytes: <c>?</c> is one byte, and a name need not be text.
/// </summary>
internal sealed class IgnorePattern
{
    private readonly byte[] pattern;
    private readonly Wildcards? wildcards;

    /// <summary>Bytes that must come first, and that no wildcard is among.</summary>
    private readonly int literal;
    private readonly bool matchesNothing;

    public IgnorePattern(string text)
    {
        Text = text;
        var line = Trimmed(Encoding.UTF8.GetBytes(text));
        if (line.StartsWith("#"u8))
        {
            line = default;
        }

        if (line.StartsWith("!"u8))
        {
            TakesBack = true;
            line = line[1..];
        }

        if (line.EndsWith("/"u8))
        {
            DirectoriesOnly = true;
            line = line[..^1];
        }

        Anchored = line.Contains((byte)'/');
        if (line.StartsWith("/"u8))
        {
            line = line[1..];
        }

        pattern = line.ToArray();
        matchesNothing = pattern.Length == 0;
        literal = pattern.AsSpan().IndexOfAny("*?[\\"u8);
        if (literal < 0)
        {
            literal = pattern.Length;
        }
        else
        {
            // git compares what comes before the first wildcard by itself, and sees two stars behind it as if they stood at the beginning.
            var from = Anchored ? literal : 0;
            literal = from;
            wildcards = Wildcards.Compile(pattern.AsSpan(from), withinNames: Anchored);
            matchesNothing |= wildcards is null;
        }
    }

    /// <summary>As it was given.</summary>
    public string Text { get; }

    /// <summary>It begins with <c>!</c>: what it matches is included after all.</summary>
    public bool TakesBack { get; }

    public bool DirectoriesOnly { get; }

    /// <summary>It is compared with whole paths from the root on, and not with names.</summary>
    public bool Anchored { get; }

    /// <summary>An empty line, a comment, or a mistake such as a bracket that is never closed.</summary>
    public bool MatchesNothing => matchesNothing;

    public bool Matches(ReadOnlySpan<byte> path, bool isDirectory)
    {
        if (matchesNothing || (DirectoriesOnly && !isDirectory))
        {
            return false;
        }

        var compared = Anchored ? path : path[(path.LastIndexOf((byte)'/') + 1)..];
        return wildcards is null
            ? compared.SequenceEqual(pattern)
            : compared.StartsWith(pattern.AsSpan(0, literal)) && wildcards.Match(compared[literal..]);
    }

    // Spaces at the end do not count, unless a backslash stands before one.
    private static ReadOnlySpan<byte> Trimmed(byte[] line)
    {
        var end = 0;
        for (var at = 0; at < line.Length; at++)
        {
            if (line[at] == '\\')
            {
                at++;
                end = Math.Min(at + 1, line.Length);
            }
            else if (line[at] != ' ')
            {
                end = at + 1;
            }
        }

        return line.AsSpan(0, end);
    }
}
