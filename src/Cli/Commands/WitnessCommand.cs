using System.CommandLine;
using Mirror.Cli.Hosting;
using Mirror.Node.Configuration;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror witness</c>: this process is that member of the cluster until it is stopped (SIGTERM or Ctrl-C stop it in order).</summary>
internal static class WitnessCommand
{
    public static Command Create()
    {
        var config = ClusterOptions.Config();
        var name = ClusterOptions.Member();
        var withInput = MemberHost.StopWithInput();
        var command = new Command("witness", "Run a witness: a voter that holds no site.\n\nExample: mirror witness --config /etc/mirror/mirror.yaml --node third") { config, name, withInput };
        command.SetRun((parsed, shown, cancellation) =>
        {
            var (loaded, member) = ClusterOptions.LoadFor(parsed.GetValue(config), parsed.GetValue(name), MemberKind.Witness);
            return MemberHost.RunAsync(loaded, member, parsed.GetValue(withInput) ? Console.OpenStandardInput() : null, Console.Error, cancellation);
        });
        return command;
    }
}
