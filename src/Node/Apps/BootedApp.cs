using Mirror.Node.Processes;

namespace Mirror.Node.Apps;

/// <param name="Address">e.g. <c>http://10.0.0.1:20001</c>.</param>
internal sealed record BootedApp(string Name, string Site, RunningApp Process, int Port, string Address, AppLog Log)
{
    /// <summary>A sentence about its end.</summary>
    public string Obituary()
    {
        var why = Process.GuardLoss is { } loss
            ? $"was killed because the guard was lost: {loss}"
            : $"ended with {DescribeExit(Process.Exited.Result)}.";
        var tail = Log.Tail();
        return $"App '{Name}' of site '{Site}' {why}{(tail.Length > 0 ? $" The end of {Log.Path}:\n{tail}" : "")}";
    }

    public static string DescribeExit(int code) => code > 128 ? $"signal {code - 128}" : $"exit code {code}";
}
