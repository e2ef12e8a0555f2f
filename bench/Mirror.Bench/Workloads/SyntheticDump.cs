using System.Buffers.Text;
using System.Text;

namespace Mirror.Bench.Workloads;

/// <summary>
/// A database dump without a database. It has the shape of one after updates: the table is written in the order in which its rows lie on disk, so an updated row is gone from its
/// place and comes back at the table's end, with another balance and everything else as it was.
/// </summary>
internal static class SyntheticDump
{
    private const int RowsAtFullScale = 4_500_000;
    private const int RowsABranch = 100_000;
    private const int FillerLength = 84;

    public static void Make(string[] versions, DumpKind kind, double scale)
    {
        var rows = Math.Max(1000, (int)(RowsAtFullScale * scale));
        var updates = Math.Max(10, (int)(kind.Transactions * scale));
        var random = new SeededRandom(7);
        var balances = new Dictionary<int, int>();
        var order = new List<int>();
        for (var transaction = 0; transaction < updates; transaction++)
        {
            var account = random.Between(1, rows);
            if (!balances.TryGetValue(account, out var balance))
            {
                order.Add(account);
            }

            balances[account] = balance + random.Between(-5000, 5000);
        }

        Write(Path.Combine(versions[0], DumpKind.FileName), kind, rows, [], []);
        Write(Path.Combine(versions[1], DumpKind.FileName), kind, rows, balances, order);
    }

    private static void Write(string path, DumpKind kind, int rows, Dictionary<int, int> updated, List<int> order)
    {
        using var file = File.Create(path, 1 << 20);
        file.Write(Encoding.ASCII.GetBytes(
            "--\n-- A dump of the accounts.\n--\n\nSET client_encoding = 'UTF8';\n\nCREATE TABLE public.accounts (\n    aid integer NOT NULL,\n    bid integer,\n    abalance integer,\n    filler character(84)\n);\n\n" +
            "COPY public.accounts (aid, bid, abalance, filler) FROM stdin;\n"));
        var line = new byte[160];
        for (var account = 1; account <= rows; account++)
        {
            if (!updated.ContainsKey(account))
            {
                WriteRow(file, line, kind, account, 0);
            }
        }

        foreach (var account in order)
        {
            WriteRow(file, line, kind, account, updated[account]);
        }

        file.Write("\\.\n\nALTER TABLE ONLY public.accounts\n    ADD CONSTRAINT accounts_pkey PRIMARY KEY (aid);\n"u8);
    }

    private static void WriteRow(FileStream file, byte[] line, DumpKind kind, int account, int balance)
    {
        var at = Number(line, 0, account);
        at = Number(line, at, ((account - 1) / RowsABranch) + 1);
        at = Number(line, at, balance);
        var filler = line.AsSpan(at, FillerLength);
        filler.Fill((byte)' ');
        if (kind.IsHex)
        {
            // The account's own digits, whichever version writes them.
            var random = new SeededRandom((ulong)account);
            Span<byte> digits = stackalloc byte[FillerLength];
            random.Fill(digits);
            for (var digit = 0; digit < digits.Length; digit++)
            {
                filler[digit] = "0123456789abcdef"u8[digits[digit] & 15];
            }
        }

        line[at + FillerLength] = (byte)'\n';
        file.Write(line, 0, at + FillerLength + 1);
    }

    private static int Number(byte[] line, int at, int number)
    {
        Utf8Formatter.TryFormat(number, line.AsSpan(at), out var length);
        line[at + length] = (byte)'\t';
        return at + length + 1;
    }
}
