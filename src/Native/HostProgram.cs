using System.Runtime.InteropServices;
using Mirror.Cli.Output;

namespace Mirror.Native;

/// <summary>The program with a runtime, which can do everything, in the same directory. It takes this process over: same number, same files, same arguments.</summary>
internal static partial class HostProgram
{
    private const string Name = "mirror-host";

    /// <summary>Returns only when that program could not be started.</summary>
    public static int Become(string[] arguments)
    {
        var program = Path.Combine(AppContext.BaseDirectory, Name);
        _ = Execute(program, [program, .. arguments, null]);
        new Shown(arguments.Contains("--json")).Error($"{program} could not be started: {Marshal.GetLastPInvokeErrorMessage()}. Install or publish Mirror as a whole: `mirror` alone has only the tools.");
        return ExitCode.Failed;
    }

    [LibraryImport("libc", EntryPoint = "execv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execute(string path, string?[] arguments);
}
