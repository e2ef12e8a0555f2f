using System.Globalization;
using System.Text;

namespace Mirror.Bench.Measuring;

/// <summary>A Markdown table, and how figures are written in one.</summary>
internal sealed class Table(params string[] columns)
{
    private readonly List<string[]> _rows = [];

    /// <summary>Gets the table's lines as they come to be, so that what was measured stays when the rest is cut short.</summary>
    public TextWriter? Live { get; init; }

    public const string Nothing = "–";

    public bool IsEmpty => _rows.Count == 0;

    public void Add(params string[] cells)
    {
        if (cells.Length != columns.Length)
        {
            throw new ArgumentException($"{cells.Length} cells for {columns.Length} columns.", nameof(cells));
        }

        _rows.Add(cells);
        if (Live is not null)
        {
            var text = new StringBuilder();
            if (_rows.Count == 1)
            {
                Head(text);
            }

            Line(text, cells);
            Live.Write(text);
            Live.Flush();
        }
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        Head(text);
        foreach (var row in _rows)
        {
            Line(text, row);
        }

        return text.ToString();
    }

    public static string Seconds(TimeSpan? time) => time is { } known ? Digits(known.TotalSeconds) : Nothing;

    public static string Rate(long bytes, TimeSpan? time) => time is { } known ? Digits(bytes / 1e6 / known.TotalSeconds) : Nothing;

    public static string Times(double ratio) => double.IsNaN(ratio) ? Nothing : Digits(ratio) + "×";

    /// <summary>K, M and G are powers of 1024.</summary>
    public static string Bytes(long? bytes) => bytes switch
    {
        null => Nothing,
        < 0 => "−" + Bytes(-bytes),
        < 1024 => Invariant($"{bytes} B"),
        < 1024 * 100 => Digits(bytes.Value / 1024.0) + " K",
        < 1024L * 1024 * 1000 => Digits(bytes.Value / (1024.0 * 1024)) + " M",
        _ => Digits(bytes.Value / (1024.0 * 1024 * 1024)) + " G",
    };

    /// <summary>Three digits that count.</summary>
    public static string Digits(double value) => Math.Abs(value) switch
    {
        >= 100 => Invariant($"{value:N0}"),
        >= 10 => Invariant($"{value:F1}"),
        >= 0.1 => Invariant($"{value:F2}"),
        _ => Invariant($"{value:F3}"),
    };

    private void Head(StringBuilder text)
    {
        Line(text, columns);
        Line(text, columns.Select((_, column) => column == 0 ? "---" : "---:"));
    }

    private static void Line(StringBuilder text, IEnumerable<string> cells) => text.Append("| ").AppendJoin(" | ", cells).Append(" |\n");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
