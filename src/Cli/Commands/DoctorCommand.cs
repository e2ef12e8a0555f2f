using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Node.Apps;
using Mirror.Node.Diagnosis;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror doctor</c>: will this machine do, and is the configuration right? Changes nothing.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var command = new Command(
            "doctor",
            $"Check the configuration and this machine: certificates, ports, disks, programs, rights. Exit code {ExitCode.Findings} when something would fail.\n\nExamples: mirror doctor; mirror doctor --node alpha --json")
        {
            config, member,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            var file = ClusterOptions.FindConfig(parsed.GetValue(config));
            var name = parsed.GetValue(member) ?? ClusterOptions.FromEnvironment("MIRROR_NODE");
            if (name is not null)
            {
                ClusterOptions.LoadFor(file, name);
            }

            var checks = await new Checkup(TimeProvider.System, program => program.StartsWith("mariadb", StringComparison.Ordinal) ? MariaDbTool.Find(program) : PostgresTool.Find(program)).RunAsync(file, name, ClusterOptions.EnvironmentVariables(), cancellation);
            var failed = checks.Count(check => check.Result == CheckResult.Failed);
            shown.Result(new Fields { ["ok"] = failed == 0, ["checks"] = checks.Select(ToJson) }, output =>
            {
                foreach (var check in checks)
                {
                    var mark = check.Result switch { CheckResult.Ok => "ok     ", CheckResult.Warning => "warning", _ => "FAILED " };
                    output.WriteLine($"{mark}  {check.Name}: {check.What}");
                    if (check.Remedy.Length > 0)
                    {
                        output.WriteLine($"         {check.Remedy}");
                    }
                }

                output.WriteLine(failed == 0 ? "This will do." : $"{failed} check(s) failed.");
            });
            return failed == 0 ? ExitCode.Ok : ExitCode.Findings;
        });
        return command;
    }

    private static Fields ToJson(Check check) => new() { ["name"] = check.Name, ["result"] = check.Result, ["what"] = check.What, ["remedy"] = check.Remedy };
}
