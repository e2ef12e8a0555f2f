// A small executable for tests that need a guard, or a node that can be killed, without the whole of Mirror.
//   guard                              what 'mirror guard' does
//   node STALL_MS DIR COMMAND...       starts a guard and under it COMMAND, prints "GUARD APP" process ids, and lives until it is killed
//   app --port=N [--status=N]          a web app
using System.Globalization;
using Mirror.Node.Processes;
using Mirror.Testing.GuardHost;

if (args is ["guard"])
{
    return GuardProcess.Run(Console.OpenStandardInput(), Console.OpenStandardOutput(), TimeProvider.System);
}

if (args is ["node", var stall, var directory, .. var command])
{
    var self = new[] { Environment.ProcessPath!, typeof(Program).Assembly.Location, "guard" };
    var milliseconds = int.Parse(stall, CultureInfo.InvariantCulture);
    await using var guard = await GuardClient.StartAsync(self, TimeSpan.FromMilliseconds(milliseconds), TimeProvider.System, CancellationToken.None);
    var environment = new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin" };
    var app = await guard.StartAppAsync(
        new("app", command, directory, environment, Path.Combine(directory, "app.log"), TimeSpan.FromMinutes(1)), CancellationToken.None);
    Console.WriteLine($"{guard.ProcessId} {app.ProcessId}");
    return await app.Exited;
}

if (args is ["app", ..])
{
    return await TestApp.RunAsync(args);
}

Console.Error.WriteLine("usage: guard | node STALL_MS DIR COMMAND... | app --port=N");
return 64;
