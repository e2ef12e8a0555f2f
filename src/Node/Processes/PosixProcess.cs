using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Mirror.Node.Processes;

/// <summary>
/// Processes as the kernel sees them: sessions, groups, signals. The guard spawns by posix_spawn and not by <see cref="System.Diagnostics.Process"/>, because it needs a new
/// session for each app, a log file instead of pipes (a pipe breaks when its reader dies), and to leave an ended child unreaped until its group has been signalled.
/// </summary>
internal static partial class PosixProcess
{
    public const int SigKill = 9;
    public const int SigTerm = 15;

    // Both are opaque structures of at most 336 bytes in glibc and musl.
    private const int OpaqueSize = 512;
    private const int SignalSetSize = 128;
    private const short SpawnSignalDefaults = 0x04;
    private const short SpawnSignalMask = 0x08;
    private const short SpawnNewSession = 0x80;
    private const int OpenForAppending = 0x441; // O_WRONLY | O_CREAT | O_APPEND
    private const int OpenCloseOnExec = 0x80000;
    private const int NoHang = 1;

    /// <summary>Whoever started this process; another, as soon as that has died.</summary>
    public static int ParentId => GetParent();

    /// <summary>How a program is spawned; always in a new session, with all signals as a fresh process has them.</summary>
    /// <param name="Input">Descriptor that becomes its standard input; null for /dev/null.</param>
    /// <param name="LogPath">File for standard output and error, mode 0640; null leaves the ones of this process.</param>
    /// <param name="Kept">A descriptor that stays open in it, under the same number.</param>
    public readonly record struct Spawning(
        string Program, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Environment, string? WorkingDirectory, int? Input, string? LogPath, int? Kept = null);

    /// <returns>The process id, which is also the id of its group and session.</returns>
    /// <exception cref="Win32Exception">The program, its directory or the log cannot be used.</exception>
    public static unsafe int Spawn(Spawning spawning)
    {
        var attributes = stackalloc byte[OpaqueSize];
        var actions = stackalloc byte[OpaqueSize];
        var signals = stackalloc byte[SignalSetSize];
        Check(AttributesInit(attributes));
        Check(ActionsInit(actions));
        using var arguments = new NativeStrings([spawning.Program, .. spawning.Arguments]);
        using var environment = new NativeStrings([.. spawning.Environment.Select(pair => $"{pair.Key}={pair.Value}")]);
        try
        {
            Check(SetFlags(attributes, SpawnSignalDefaults | SpawnSignalMask | SpawnNewSession));
            _ = FillSignals(signals);
            Check(SetSignalDefaults(attributes, signals));
            _ = EmptySignals(signals);
            Check(SetSignalMask(attributes, signals));
            Check(spawning.Input is { } input ? AddDuplicate(actions, input, 0) : AddOpen(actions, 0, "/dev/null", 0, 0));
            if (spawning.LogPath is { } log)
            {
                Check(AddOpen(actions, 1, log, OpenForAppending, 0x1A0 /* 0640 */));
                Check(AddDuplicate(actions, 1, 2));
            }

            if (spawning.Kept is { } kept)
            {
                Check(AddDuplicate(actions, kept, kept)); // Onto itself: not closed on exec any more.
            }

            if (spawning.WorkingDirectory is { } directory)
            {
                Check(AddChangeDirectory(actions, directory));
            }

            Check(PosixSpawn(out var processId, spawning.Program, actions, attributes, arguments.Pointer, environment.Pointer));
            return processId;
        }
        finally
        {
            _ = ActionsDestroy(actions);
            _ = AttributesDestroy(attributes);
        }
    }

    /// <summary>Leaves the terminal's process group, so that its Ctrl-C reaches the node alone. Fails harmlessly when this process already leads a group.</summary>
    public static void LeaveTerminal() => _ = NewSession();

    /// <returns>False when nobody is left in the group.</returns>
    public static bool SignalGroup(int group, int signal) => Kill(-group, signal) == 0;

    /// <summary>Reaps a child that has ended.</summary>
    /// <returns>Its exit code, 128 + signal when it was killed; null while it runs.</returns>
    public static int? TryReap(int processId)
    {
        int status;
        int result;
        do
        {
            result = WaitPid(processId, out status, NoHang);
        }
        while (result < 0 && Marshal.GetLastPInvokeError() == 4 /* EINTR */);
        if (result == 0)
        {
            return null;
        }

        if (result < 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"Waiting for process {processId} failed: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        var signal = status & 0x7f;
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal;
    }

    /// <returns>Read end and write end; both closed in spawned programs unless handed over.</returns>
    public static unsafe (int Read, int Write) Pipe()
    {
        var ends = stackalloc int[2];
        if (Pipe2(ends, OpenCloseOnExec) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }

        return (ends[0], ends[1]);
    }

    public static void Close(int descriptor) => _ = CloseDescriptor(descriptor);

    public static bool MayExecute(string path) => Access(path, 1 /* X_OK */) == 0;

    private static void Check(int error)
    {
        if (error != 0)
        {
            throw new Win32Exception(error);
        }
    }

    /// <summary>A null-terminated array of null-terminated strings, as exec takes it.</summary>
    private sealed unsafe class NativeStrings : IDisposable
    {
        private readonly int _count;

        public NativeStrings(IReadOnlyList<string> strings)
        {
            Pointer = (byte**)NativeMemory.AllocZeroed((nuint)(strings.Count + 1), (nuint)sizeof(byte*));
            for (_count = 0; _count < strings.Count; _count++)
            {
                Pointer[_count] = (byte*)Marshal.StringToCoTaskMemUTF8(strings[_count]);
            }
        }

        public byte** Pointer { get; }

        public void Dispose()
        {
            for (var i = 0; i < _count; i++)
            {
                Marshal.FreeCoTaskMem((nint)Pointer[i]);
            }

            NativeMemory.Free(Pointer);
        }
    }

    [LibraryImport("libc", EntryPoint = "getppid")]
    private static partial int GetParent();

    [LibraryImport("libc", EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int PosixSpawn(out int processId, string path, byte* actions, byte* attributes, byte** arguments, byte** environment);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    private static unsafe partial int AttributesInit(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    private static unsafe partial int AttributesDestroy(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    private static unsafe partial int SetFlags(byte* attributes, short flags);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigdefault")]
    private static unsafe partial int SetSignalDefaults(byte* attributes, byte* signals);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigmask")]
    private static unsafe partial int SetSignalMask(byte* attributes, byte* signals);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    private static unsafe partial int ActionsInit(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    private static unsafe partial int ActionsDestroy(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addopen", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int AddOpen(byte* actions, int descriptor, string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_adddup2")]
    private static unsafe partial int AddDuplicate(byte* actions, int descriptor, int duplicate);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addchdir_np", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int AddChangeDirectory(byte* actions, string path);

    [LibraryImport("libc", EntryPoint = "sigfillset")]
    private static unsafe partial int FillSignals(byte* signals);

    [LibraryImport("libc", EntryPoint = "sigemptyset")]
    private static unsafe partial int EmptySignals(byte* signals);

    [LibraryImport("libc", EntryPoint = "setsid")]
    private static partial int NewSession();

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int processId, int signal);

    [LibraryImport("libc", EntryPoint = "waitpid", SetLastError = true)]
    private static partial int WaitPid(int processId, out int status, int options);

    [LibraryImport("libc", EntryPoint = "pipe2", SetLastError = true)]
    private static unsafe partial int Pipe2(int* ends, int flags);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int CloseDescriptor(int descriptor);

    [LibraryImport("libc", EntryPoint = "access", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Access(string path, int mode);
}
