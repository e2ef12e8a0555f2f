using Mirror.Node.Wire;
using Spectre.Console;

namespace Mirror.Cli.Output;

/// <summary>The cluster's status as tables and as JSON.</summary>
internal static class StatusText
{
    public static Fields ToJson(ClusterStatus status) => new Fields
    {
        ["cluster"] = status.Cluster,
        ["answered_by"] = status.AnsweredBy,
        ["members"] = status.Members.Select(member => new Fields { ["name"] = member.Name, ["role"] = member.Role, ["address"] = member.Address, ["state"] = member.State, ["differs"] = member.Differs }),
        ["sites"] = status.Sites.Select(site => new Fields
        {
            ["site"] = site.Site,
            ["primary"] = site.Primary.Length == 0 ? null : site.Primary,
            ["epoch"] = site.Epoch,
            ["newest"] = VersionText.Name(site.Newest),
            ["consistent"] = VersionText.Name(site.Consistent),
            ["sentence"] = site.Sentence,
            ["failover"] = site.Failover is { } failover
                ? new Fields
                {
                    ["state"] = failover.State, ["sentence"] = failover.Sentence, ["by"] = failover.By.Length == 0 ? null : failover.By, ["reason"] = failover.Reason.Length == 0 ? null : failover.Reason,
                    ["until_unix_ms"] = failover.UntilUnixMs == 0 ? null : failover.UntilUnixMs,
                }
                : null,
            ["capture"] = CaptureText.ToJson(site.Capture),
            ["holdings"] = site.Holdings.Select(holding => new Fields
            {
                ["node"] = holding.Node,
                ["role"] = holding.Role,
                ["epoch"] = holding.Epoch,
                ["stored"] = VersionText.Name(holding.Stored),
                ["verified"] = VersionText.Name(holding.Verified),
                ["warm"] = VersionText.Name(holding.Warm),
                ["lag_seconds"] = holding.LagSeconds,
                ["app_address"] = holding.AppAddress,
                ["sentence"] = holding.Sentence,
                ["reachable"] = holding.Reachable,
                ["process_ids"] = holding.ProcessIds,
            }),
        }),
    };

    public static void Write(ClusterStatus status, TextWriter output)
    {
        var console = Tables.On(output);
        var members = Tables.New("member", "role", "address", "state");
        foreach (var member in status.Members)
        {
            Tables.Row(members, member.Name, member.Role, member.Address, member.State);
        }

        output.WriteLine($"Cluster {status.Cluster}, as {status.AnsweredBy} sees it");
        console.Write(members);
        foreach (var difference in status.Members.SelectMany(member => member.Differs))
        {
            output.WriteLine($"Configurations differ: {difference}");
        }

        foreach (var site in status.Sites)
        {
            output.WriteLine();
            output.WriteLine(site.Primary.Length == 0
                ? $"Site {site.Site}: no primary (epoch {site.Epoch}); consistent {VersionText.Name(site.Consistent)}"
                : $"Site {site.Site}: primary {site.Primary} (epoch {site.Epoch}); newest {VersionText.Name(site.Newest)}, consistent {VersionText.Name(site.Consistent)}");
            var table = Tables.New("node", "role", "stored", "verified", "warm", "lag", "app", "last decision");
            foreach (var holding in site.Holdings)
            {
                Tables.Row(
                    table, holding.Node, holding.Reachable ? holding.Role : holding.Role + " (unreachable)", VersionText.Name(holding.Stored), VersionText.Name(holding.Verified),
                    VersionText.Name(holding.Warm), holding.LagSeconds == 0 ? "-" : $"{holding.LagSeconds:F1} s", holding.AppAddress, holding.Sentence);
            }

            console.Write(table);
            if (site.Failover is { State: not "on" } failover)
            {
                output.WriteLine(failover.Sentence);
            }

            foreach (var line in site.Capture is null ? [] : CaptureText.Lines(site.Capture))
            {
                output.WriteLine(line);
            }
        }
    }
}

/// <summary>Tables without colours or borders to count: plain enough for a log.</summary>
internal static class Tables
{
    public static IAnsiConsole On(TextWriter output)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) });
        if (Console.IsOutputRedirected)
        {
            console.Profile.Width = 200;
        }

        return console;
    }

    public static Table New(params string[] columns)
    {
        var table = new Table { Border = TableBorder.Minimal };
        foreach (var column in columns)
        {
            table.AddColumn(new TableColumn(Markup.Escape(column)) { NoWrap = column is not "last decision" and not "path" });
        }

        return table;
    }

    public static void Row(Table table, params string[] cells) => table.AddRow(cells.Select(Markup.Escape).ToArray());
}
