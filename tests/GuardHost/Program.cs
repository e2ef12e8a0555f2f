// A small executable for tests that need a guard, or a node that can be killed, without the whole of Mirror.
//   guard                              what 'mirror guard' does
//   node STALL_MS DIR COMMAND...       starts a guard and under it COMMAND, prints "GUARD APP" process ids, and lives until it is killed
//   holder LEASE_MS VOTER_PORT PKI DIR COMMAND...
//                                      the same as the node "alpha", which holds the lease of "wiki" in epoch 7 for so long, and never renews it; DIR/guard.lock is locked while it lives
//   locker AGENT KEY SESSION SERVICE PKI DIR COMMAND...
//                                      the same, but what it holds is a lock in Consul
//   app --port=N [--status=N]          a web app
using System.Globalization;
using Mirror.Node.Consul;
using Mirror.Node.Processes;
using Mirror.Testing.GuardHost;

if (args is ["guard"])
{
    return GuardProcess.Run(Console.OpenStandardInput(), Console.OpenStandardOutput(), TimeProvider.System);
}

var self = new[] { Environment.ProcessPath!, typeof(Program).Assembly.Location, "guard" };
if (args is ["node", var stall, var directory, .. var command])
{
    var milliseconds = int.Parse(stall, CultureInfo.InvariantCulture);
    await using var guard = await GuardClient.StartAsync(self, TimeSpan.FromMilliseconds(milliseconds), TimeProvider.System, CancellationToken.None);
    var environment = new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin" };
    var app = await guard.StartAppAsync(
        new("app", command, directory, environment, Path.Combine(directory, "app.log"), TimeSpan.FromMinutes(1)), CancellationToken.None);
    Console.WriteLine($"{guard.ProcessId} {app.ProcessId}");
    return await app.Exited;
}

if (args is ["holder", var lease, var port, var pki, var place, .. var program])
{
    var time = TimeProvider.System;
    await using var guard = await GuardClient.StartAsync(self, TimeSpan.FromMinutes(1), time, CancellationToken.None, new GuardedNode("alpha", pki, Path.Combine(place, "guard.lock")));
    var until = time.GetTimestamp() + (long.Parse(lease, CultureInfo.InvariantCulture) * time.TimestampFrequency / 1000);
    guard.Hold(new SiteHold("wiki", 7, until, 100, [new HoldVoter("voter", "127.0.0.1", int.Parse(port, CultureInfo.InvariantCulture))]));
    var environment = new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin" };
    var app = await guard.StartAppAsync(
        new("app", program, place, environment, Path.Combine(place, "app.log"), TimeSpan.FromMinutes(1)) { Site = "wiki" }, CancellationToken.None);
    Console.WriteLine($"{guard.ProcessId} {app.ProcessId}");
    return await app.Exited;
}

if (args is ["locker", var agent, var key, var session, var service, var keys, var home, .. var run])
{
    var time = TimeProvider.System;
    await using var guard = await GuardClient.StartAsync(self, TimeSpan.FromMinutes(1), time, CancellationToken.None, new GuardedNode("alpha", keys));
    var until = time.GetTimestamp() + (600 * time.TimestampFrequency);
    guard.Hold(new SiteHold("wiki", 7, until, 100, []) { Lock = new(new ConsulAgent(new Uri(agent)), key, session, service) });
    var environment = new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin" };
    var app = await guard.StartAppAsync(
        new("app", run, home, environment, Path.Combine(home, "app.log"), TimeSpan.FromMinutes(1)) { Site = "wiki" }, CancellationToken.None);
    Console.WriteLine($"{guard.ProcessId} {app.ProcessId}");
    return await app.Exited;
}

if (args is ["app", ..])
{
    return await TestApp.RunAsync(args);
}

Console.Error.WriteLine("usage: guard | node STALL_MS DIR COMMAND... | holder LEASE_MS VOTER_PORT PKI DIR COMMAND... | app --port=N");
return 64;
