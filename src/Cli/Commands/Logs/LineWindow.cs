namespace Mirror.Cli.Commands.Logs;

/// <summary>
/// Passes on the whole lines of a stream that end within a range of its bytes: a line belongs to the version in which it was complete. Bytes come in order; those before the range are
/// looked at for where the first line begins.
/// </summary>
internal sealed class LineWindow(Stream output, long start, long? end)
{
    private const int longestLine = 4 << 20;

    private readonly MemoryStream line = new();
    private bool begun = start == 0;

    /// <summary>Bytes that were passed on.</summary>
    public long Written { get; private set; }

    public async ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> content, CancellationToken cancellation)
    {
        if (end is { } last)
        {
            content = content[..(int)Math.Clamp(last - offset, 0, content.Length)];
        }

        if (!begun && offset < start)
        {
            var before = content[..(int)Math.Min(content.Length, start - offset)];
            var newline = before.Span.LastIndexOf((byte)'\n');
            if (newline >= 0)
            {
                line.SetLength(0);
            }

            line.Write(before.Span[(newline + 1)..]);
            offset += before.Length;
            content = content[before.Length..];
        }

        if (content.IsEmpty)
        {
            return;
        }

        begun = true;
        var whole = content.Span.LastIndexOf((byte)'\n') + 1;
        if (whole > 0 || line.Length > longestLine)
        {
            await FlushAsync(cancellation);
            await output.WriteAsync(content[..whole], cancellation);
            Written += whole;
        }

        line.Write(content.Span[whole..]);
    }

    /// <summary>After the last byte. A line that is not at its end yet is shown where nothing was said of an end.</summary>
    public async ValueTask CompleteAsync(CancellationToken cancellation)
    {
        if (end is null && begun)
        {
            await FlushAsync(cancellation);
        }
    }

    private async ValueTask FlushAsync(CancellationToken cancellation)
    {
        await output.WriteAsync(line.GetBuffer().AsMemory(0, (int)line.Length), cancellation);
        Written += line.Length;
        line.SetLength(0);
    }
}
