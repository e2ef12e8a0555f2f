using System.CommandLine;
using System.Globalization;
using Mirror.Cli.Demo;
using Mirror.Cli.Output;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror demo</c>: a whole cluster on loopback to play with; with <c>--auto</c> it plays the disaster by itself.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        var auto = new Option<bool>("--auto") { Description = "Play the disaster: load, kill -9, failover, return, switchover, restore; then stop." };
        var site = new Option<string?>("--site") { Description = "Mirror (a copy of) this directory too, as a second site beside the wiki." };
        var keep = new Option<bool>("--keep") { Description = "Leave the scratch directory behind, as it is anyway when something goes wrong." };
        var command = new Command(
            "demo",
            "Bring up a primary, two replicas, a proxy and a wiki on loopback, each a process of its own. Ctrl-C stops everything.\n\nExamples: mirror demo; mirror demo --auto; mirror demo --auto --site /usr/share/doc --json")
        {
            auto, site, keep,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            var mirrored = parsed.GetValue(site);
            if (mirrored is not null && !Directory.Exists(mirrored))
            {
                throw new CommandException($"the directory {mirrored} to mirror is not there, or cannot be read.");
            }

            var scratch = Directory.CreateTempSubdirectory("mirror-demo-").FullName;
            var left = parsed.GetValue(keep);
            try
            {
                await using var cluster = await DemoSetup.PrepareAsync(scratch, mirrored, cancellation);
                try
                {
                    if (!parsed.GetValue(auto))
                    {
                        return await PlayAroundAsync(cluster, shown, cancellation);
                    }

                    var report = await new DemoStory(cluster, mirrored, shown).PlayAsync(cancellation);
                    if (!report.Ok)
                    {
                        left = true;
                        report = report with { Left = Describe(cluster) };
                    }

                    shown.Result(report.ToJson(), output => Write(report, output));
                    return report.Ok ? ExitCode.Ok : ExitCode.Failed;
                }
                catch (Exception failure) when (!cancellation.IsCancellationRequested)
                {
                    // Said while the members still run: what they complain of while they stop is not what went wrong.
                    left = true;
                    if (Running.Explain(failure, cancellation) is { } known)
                    {
                        throw new CommandException($"{known.Message}\n{Describe(cluster)}", known.Code);
                    }

                    Shown.Complain(Describe(cluster));
                    throw;
                }
            }
            finally
            {
                if (left)
                {
                    shown.Say($"Everything is left in {scratch}");
                }
                else
                {
                    Directory.Delete(scratch, recursive: true);
                }
            }
        });
        return command;
    }

    private static string Describe(LocalCluster cluster) => DemoLogs.Describe(cluster.Directory, cluster.Config.Members.Keys, cluster.LogOf);

    private static async Task<int> PlayAroundAsync(LocalCluster cluster, Shown shown, CancellationToken cancellation)
    {
        try
        {
            shown.Say("Starting three nodes, a proxy and the wiki ...");
            cluster.StartAll();
            await cluster.UntilAsync(DemoSetup.Nodes[0], "the cluster did not come up", DemoStory.IsSettled, TimeSpan.FromSeconds(60), cancellation);
            var mirror = Path.Combine(AppContext.BaseDirectory, "mirror");
            shown.Result(
                new Fields { ["ok"] = true, ["site"] = DemoSetup.SiteOf(cluster), ["mirror"] = DemoSetup.MirrorOf(cluster), ["config"] = cluster.ConfigFile },
                output => output.WriteLine(
                    $"""

                    The wiki           {DemoSetup.SiteOf(cluster)}
                    Read-only mirror   {DemoSetup.MirrorOf(cluster)}   (replicas answer; writes are refused)

                    Try, in another terminal:
                      export MIRROR_CONFIG={cluster.ConfigFile}
                      {mirror} status --watch          who is primary, what each node holds
                      {mirror} versions                edit a page, and a version appears
                      {mirror} promote beta            a planned switchover: keep reloading the wiki
                      kill -9 PID                      of the primary's node (the first of its process ids in `status --json`)
                      {mirror} restore VERSION /tmp/as-it-was

                    Ctrl-C stops everything.
                    """));
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            shown.Say("Stopping ...");
        }

        return ExitCode.Ok;
    }

    private static void Write(DemoReport report, TextWriter output)
    {
        output.WriteLine();
        Line("requests", $"{report.Requests}, of which reads failed: {report.FailedRequests}, writes interrupted: {report.InterruptedWrites}");
        Line("failover", Milliseconds(report.FailoverMs) + " without an answer, after kill -9 of the primary");
        Line("switchover", Milliseconds(report.SwitchoverMs) + " without an answer, planned");
        Line("acknowledged writes", $"{report.AcknowledgedWrites}; lost {report.LostWrites}, of consistent versions {report.LostConsistentWrites}");
        Line("versions", $"{report.Versions}; {report.RestoredVersion} restored and compared: {(report.RestoreOk ? "identical" : "different")}");
        Line("epoch", report.Epoch.ToString(CultureInfo.InvariantCulture));
        Line("took", string.Create(CultureInfo.InvariantCulture, $"{report.TookSeconds:F1} s"));
        foreach (var fault in report.Faults)
        {
            Line("FAULT", fault);
        }

        output.WriteLine(report.Ok ? "All as promised." : $"Not as promised. {report.Left}");

        void Line(string what, string value) => output.WriteLine($"  {what,-20} {value}");
    }

    private static string Milliseconds(double? value) => value is { } known ? string.Create(CultureInfo.InvariantCulture, $"{known:F0} ms") : "unknown";
}
