using System.CommandLine;
using Mirror.Cli.Hosting;
using Mirror.Node.Configuration;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror proxy</c>: this process is that member of the cluster until it is stopped (SIGTERM or Ctrl-C stop it in order).</summary>
internal static class ProxyCommand
{
    public static Command Create()
    {
        var config = ClusterOptions.Config();
        var name = ClusterOptions.Member();
        var withInput = MemberHost.StopWithInput();
        var command = new Command("proxy", "Run a proxy: the front that readers reach.\n\nExample: mirror proxy --config /etc/mirror/mirror.yaml --node front") { config, name, withInput };
        command.SetRun((parsed, shown, cancellation) =>
        {
            var (loaded, member) = ClusterOptions.LoadFor(parsed.GetValue(config), parsed.GetValue(name), MemberKind.Proxy);
            return MemberHost.RunAsync(loaded, member, parsed.GetValue(withInput) ? Console.OpenStandardInput() : null, Console.Error, cancellation);
        });
        return command;
    }
}
