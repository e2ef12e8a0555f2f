using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Mirror.Bench.Measuring;

/// <summary>
/// Starts a process and waits for it in a way that gives its CPU time. <see cref="System.Diagnostics.Process"/> reaps its children itself, and their usage is then lost; a child that
/// was spawned here is unknown to it, and left alone.
/// </summary>
internal static partial class Spawning
{
    private const short SetProcessGroup = 0x02, SetDefaultSignals = 0x04;
    private const int WriteCreateTruncate = 0x241; // O_WRONLY | O_CREAT | O_TRUNC
    private const int Interrupted = 4;
    private const int KillSignal = 9;

    /// <param name="output">The file for what it says on standard output and error.</param>
    public static int Start(string[] command, string directory, IReadOnlyDictionary<string, string> environment, string output)
    {
        var variables = Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>().ToDictionary(entry => (string)entry.Key, entry => (string)entry.Value!);
        foreach (var (name, value) in environment)
        {
            variables[name] = value;
        }

        // Both are opaque structures of at most 336 bytes; the signal set has 128.
        var actions = Marshal.AllocHGlobal(512);
        var attributes = Marshal.AllocHGlobal(512);
        var signals = Marshal.AllocHGlobal(128);
        var arguments = Strings(command);
        var settings = Strings([.. variables.Select(entry => $"{entry.Key}={entry.Value}")]);
        try
        {
            Check(InitActions(actions), "posix_spawn_file_actions_init");
            Check(InitAttributes(attributes), "posix_spawnattr_init");
            Check(AddOpen(actions, 0, "/dev/null", 0, 0), "posix_spawn_file_actions_addopen");
            Check(AddOpen(actions, 1, output, WriteCreateTruncate, 0x1B4), "posix_spawn_file_actions_addopen");
            Check(AddDuplicate(actions, 1, 2), "posix_spawn_file_actions_adddup2");
            Check(AddDirectory(actions, directory), "posix_spawn_file_actions_addchdir_np");
            // A group of its own, to be ended whole; and the runtime ignores broken pipes, which is not for children.
            Check(FillSignals(signals), "sigfillset");
            Check(SetDefault(attributes, signals), "posix_spawnattr_setsigdefault");
            Check(SetFlags(attributes, SetProcessGroup | SetDefaultSignals), "posix_spawnattr_setflags");
            Check(SpawnOnPath(out var process, command[0], actions, attributes, arguments, settings), command[0]);
            return process;
        }
        finally
        {
            _ = DestroyActions(actions);
            _ = DestroyAttributes(attributes);
            foreach (var text in arguments.Concat(settings))
            {
                Marshal.FreeCoTaskMem(text);
            }

            Marshal.FreeHGlobal(actions);
            Marshal.FreeHGlobal(attributes);
            Marshal.FreeHGlobal(signals);
        }
    }

    /// <summary>Blocks until the process ended. The largest memory is that of one process, this one's at the spawn included. The exit code is that of a shell: 128 and the signal's number when a signal ended it.</summary>
    public static (int ExitCode, TimeSpan Cpu, long LargestMemory) Wait(int process)
    {
        int status;
        ResourceUsage usage;
        while (WaitFor(process, out status, 0, out usage) < 0)
        {
            if (Marshal.GetLastPInvokeError() != Interrupted)
            {
                throw new Win32Exception(Marshal.GetLastPInvokeError(), "wait4 failed.");
            }
        }

        var signal = status & 0x7F;
        return (signal != 0 ? 128 + signal : (status >> 8) & 0xFF, usage.User.Span + usage.System.Span, usage.LargestResident * 1024);
    }

    /// <summary>Ends the process and everything it started.</summary>
    public static void KillGroup(int process) => _ = Kill(-process, KillSignal);

    private static nint[] Strings(string[] texts) => [.. texts.Select(Marshal.StringToCoTaskMemUTF8), 0];

    private static void Check(int error, string what)
    {
        if (error != 0)
        {
            throw new Win32Exception(error, $"{what}: {Marshal.GetPInvokeErrorMessage(error)}");
        }
    }

    [LibraryImport("libc", EntryPoint = "posix_spawnp", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SpawnOnPath(out int process, string program, nint actions, nint attributes, [In] nint[] arguments, [In] nint[] environment);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    private static partial int InitActions(nint actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    private static partial int DestroyActions(nint actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int AddOpen(nint actions, int descriptor, string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_adddup2")]
    private static partial int AddDuplicate(nint actions, int descriptor, int copy);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addchdir_np", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int AddDirectory(nint actions, string path);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    private static partial int InitAttributes(nint attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    private static partial int DestroyAttributes(nint attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    private static partial int SetFlags(nint attributes, short flags);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigdefault")]
    private static partial int SetDefault(nint attributes, nint signals);

    [LibraryImport("libc", EntryPoint = "sigfillset")]
    private static partial int FillSignals(nint signals);

    [LibraryImport("libc", EntryPoint = "wait4", SetLastError = true)]
    private static partial int WaitFor(int process, out int status, int options, out ResourceUsage usage);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);

    [StructLayout(LayoutKind.Sequential)]
    private struct Time
    {
        public long Seconds;
        public long Microseconds;

        public readonly TimeSpan Span => TimeSpan.FromSeconds(Seconds) + TimeSpan.FromMicroseconds(Microseconds);
    }

    // Of the rest only the room is needed. The largest resident size counts the spawning process's pages too, which the child shared until its exec.
    [StructLayout(LayoutKind.Sequential, Size = 144)]
    private struct ResourceUsage
    {
        public Time User;
        public Time System;
        public long LargestResident;
    }
}
