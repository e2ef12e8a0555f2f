namespace Mirror.Bench.Workloads;

/// <summary>Two dumps: rows padded with blanks, as pgbench makes them, which compress very well; and rows padded with hex digits, which hardly do.</summary>
internal sealed record DumpKind(string Name, bool IsHex, int Transactions)
{
    public const string FileName = "shop.sql";

    public static readonly DumpKind Blanks = new("dump", false, 23_000);
    public static readonly DumpKind Hex = new("dumphex", true, 43_000);
}
