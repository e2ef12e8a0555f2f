using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Mirror.Testing;

/// <summary>
/// Runs an action as another user: on a thread of its own that gives up root for good (on Linux user and group belong to the thread; the C library's own calls,
/// which change all threads, are gone round). Only where the test itself runs as root.
/// </summary>
public static partial class UnprivilegedThread
{
    public const uint SomeUser = 54321;

    public static void Run(Action action)
    {
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                Become(SomeUser);
                action();
            }
            catch (Exception exception)
            {
                failure = ExceptionDispatchInfo.Capture(exception);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
    }

    private static void Become(uint user)
    {
        var arm64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
        Check(syscall(arm64 ? 159 : 116, 0, 0, 0), "setgroups");
        Check(syscall(arm64 ? 149 : 119, user, user, user), "setresgid");
        Check(syscall(arm64 ? 147 : 117, user, user, user), "setresuid");
    }

    private static void Check(nint result, string call)
    {
        if (result != 0)
        {
            throw new InvalidOperationException($"{call} failed: errno {Marshal.GetLastPInvokeError()}.");
        }
    }

    [LibraryImport("libc", SetLastError = true)] private static partial nint syscall(nint number, nuint first, nuint second, nuint third);
}
