using System.CommandLine;
using System.Globalization;
using Mirror.Cli.Output;
using Mirror.Node.Wire;
using Mirror.Primary;
using CopiesGoal = Mirror.Primary.CopiesGoal;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror capture</c>: a version now, and optionally the certainty that others hold it.</summary>
internal static class CaptureCommand
{
    private const string Text = """
        Capture the site's present state as a version now. Everything written before the command is in it.

        Where a watcher is at work, only what was touched is looked at, as the kernel told it by then: that takes milliseconds, however large the site. What is written through a memory map is told when the file is closed, and what another machine writes on a network file system never: --everything looks at all of the tree.

        --wait says what to wait for: stored:K (K replicas have received it, durably), verified:K (applied, every file checked), warm:K (their apps serve it), or consistent (it stays, whatever happens next). The primary is no replica. Exit code 0: reached; 5: the version is there, but the time was over first.

        Examples: mirror capture; mirror capture --everything; mirror capture --wait stored:2; mirror capture --site wiki --wait consistent --timeout 10 --json
        """;

    public static Command Create()
    {
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = ClusterOptions.Site();
        var wait = new Option<string?>("--wait") { Description = "Wait until replicas hold the version: stored:K, verified:K, warm:K or consistent.", HelpName = "goal" };
        var copies = new Option<int>("--copies") { Description = "Wait until this many nodes (the primary included) hold the version verified.", DefaultValueFactory = _ => 1 };
        var timeout = new Option<int>("--timeout") { Description = "Seconds to wait for them.", DefaultValueFactory = _ => 60 };
        var massDelete = new Option<bool>("--allow-mass-delete") { Description = "More than half of the site is gone, and that is meant." };
        var everything = new Option<bool>("--everything") { Description = "Look at all of the tree, also where a watcher says what was touched." };
        wait.Validators.Add(found =>
        {
            if (found.Tokens is [var token] && !CopiesGoal.TryParse(token.Value, out _))
            {
                found.AddError($"\"{token.Value}\" is nothing to wait for; write stored:2, verified:2, warm:1 or consistent.");
            }
        });
        timeout.Validators.Add(found =>
        {
            if (found.Tokens is [var token] && (!int.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) || seconds > 86_400))
            {
                found.AddError($"--timeout is a number of seconds from 0 to 86400, not \"{token.Value}\".");
            }
        });
        var command = new Command("capture", Text)
        {
            config, member, site, wait, copies, timeout, massDelete, everything,
        };
        command.Validators.Add(found =>
        {
            if (found.GetResult(wait) is { Implicit: false } && found.GetResult(copies) is { Implicit: false })
            {
                found.AddError("--wait and --copies both say what to wait for; give one.");
            }
        });
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member), suits: found => found.Kind == Node.Configuration.MemberKind.Node);
            var goal = parsed.GetValue(wait) is { } text && CopiesGoal.TryParse(text, out var named) ? named : null;
            var request = new CaptureRequest
            {
                Site = ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site)),
                TimeoutMs = (uint)parsed.GetValue(timeout) * 1000,
                AllowMassDelete = parsed.GetValue(massDelete),
                Everything = parsed.GetValue(everything),
            };
            if (goal is null)
            {
                request.WaitCopies = (uint)parsed.GetValue(copies);
            }
            else
            {
                request.Goal = new() { Stage = StageOf(goal.Stage), Replicas = (uint)goal.Replicas };
            }

            var reply = await asking.Client.CaptureAsync(request, cancellationToken: cancellation);
            var ok = goal is null || reply.Reached;
            shown.Result(ToJson(reply, goal, ok), output => Write(reply, goal, output));
            return ok ? ExitCode.Ok : ExitCode.Findings;
        });
        return command;
    }

    private static Node.Wire.CopiesGoal.Types.Stage StageOf(HoldingStage stage) => stage switch
    {
        HoldingStage.Stored => Node.Wire.CopiesGoal.Types.Stage.Stored,
        HoldingStage.Verified => Node.Wire.CopiesGoal.Types.Stage.Verified,
        HoldingStage.Warm => Node.Wire.CopiesGoal.Types.Stage.Warm,
        _ => Node.Wire.CopiesGoal.Types.Stage.Consistent,
    };

    private static Fields ToJson(CaptureReply reply, CopiesGoal? goal, bool ok)
    {
        var fields = new Fields
        {
            ["ok"] = ok, ["changed"] = reply.Changed, ["everything"] = reply.Everything, ["copies"] = reply.Copies, ["capture_ms"] = reply.CaptureMs, ["version"] = VersionText.ToJson(reply.Version),
        };
        if (goal is not null)
        {
            fields["waited_for"] = goal.ToString();
            fields["reached"] = reply.Reached;
            fields["waited_ms"] = reply.WaitedMs;
            fields["replicas"] = reply.Replicas.Select(replica => new Fields
            {
                ["node"] = replica.Node,
                ["after_ms"] = replica.HasAfterMs ? replica.AfterMs : null,
                ["stored"] = VersionText.Name(replica.Stored),
                ["verified"] = VersionText.Name(replica.Verified),
                ["warm"] = VersionText.Name(replica.Warm),
            });
        }

        return fields;
    }

    private static void Write(CaptureReply reply, CopiesGoal? goal, TextWriter output)
    {
        var name = VersionText.Name(reply.Version.Id);
        var captured = reply.Changed ? $"captured {name}" : $"nothing changed since {name}";
        if (goal is null)
        {
            output.WriteLine($"{captured}, held by {reply.Copies} node(s)");
            return;
        }

        output.WriteLine(Line($"{captured} in {reply.CaptureMs:F0} ms; {(reply.Reached ? "reached" : "not reached")}: {goal}, after {reply.WaitedMs:F0} ms more"));
        foreach (var replica in reply.Replicas)
        {
            output.WriteLine(replica.HasAfterMs
                ? Line($"  {replica.Node} after {replica.AfterMs:F0} ms")
                : replica.Stored is null
                    ? $"  {replica.Node} has not reported since this primary serves; is it running?"
                    : $"  {replica.Node} not yet: stored {VersionText.Name(replica.Stored)}, verified {VersionText.Name(replica.Verified)}, warm {VersionText.Name(replica.Warm)}");
        }

        static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
    }
}
