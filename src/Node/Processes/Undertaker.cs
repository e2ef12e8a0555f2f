using System.ComponentModel;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Mirror.Node.Processes;

/// <summary>
/// What is left when the guard itself is killed: a tiny shell that holds the other end of a pipe and the list of groups. It ends with the guard in every other case; when the pipe
/// breaks with groups on the list, it kills them. (A parent-death signal, which the guard asks for as well, reaches an app but not the app's children.)
/// </summary>
/// <param name="life">Held by the shell as well; null for none.</param>
internal sealed class Undertaker(Func<int?> life) : IDisposable
{
    private const string Script =
        """
        trap '' INT TERM HUP
        groups=' '
        while read -r act group; do
            case $act in
                add) groups="$groups$group " ;;
                drop) groups="${groups%% $group *} ${groups#* $group }" ;;
            esac
        done
        for group in $groups; do kill -s KILL -- "-$group"; done
        """;

    private readonly HashSet<int> _groups = [];
    private Shell? _shell;

    public void Add(int group)
    {
        _groups.Add(group);
        Tell("add", group);
    }

    public void Drop(int group)
    {
        _groups.Remove(group);
        Tell("drop", group);
    }

    /// <summary>Ends a shell that has died, and starts another with the same list.</summary>
    public void Check()
    {
        if (_shell is not null && PosixProcess.TryReap(_shell.ProcessId) is not null)
        {
            _shell.Pipe.Dispose();
            _shell = Start();
        }
    }

    public void Dispose() => _shell?.Pipe.Dispose();

    private void Tell(string act, int group)
    {
        try
        {
            if (_shell is null)
            {
                _shell = Start();
            }
            else
            {
                Write(_shell, act, group);
            }
        }
        catch (IOException)
        {
            // It was killed a moment ago; the new one is told everything.
            _shell!.Pipe.Dispose();
            _shell = Start();
        }
    }

    private Shell Start()
    {
        var (read, write) = PosixProcess.Pipe();
        try
        {
            var processId = PosixProcess.Spawn(new("/bin/sh", ["-c", Script], OwnEnvironment(), "/", read, "/dev/null", life()));
            var shell = new Shell(processId, new FileStream(new SafeFileHandle(write, ownsHandle: true), FileAccess.Write, bufferSize: 0));
            foreach (var group in _groups)
            {
                Write(shell, "add", group);
            }

            return shell;
        }
        catch (Win32Exception)
        {
            PosixProcess.Close(write);
            throw;
        }
        finally
        {
            PosixProcess.Close(read);
        }
    }

    private static Dictionary<string, string> OwnEnvironment() =>
        new() { ["PATH"] = Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin" };

    private static void Write(Shell shell, string act, int group) => shell.Pipe.Write(Encoding.ASCII.GetBytes($"{act} {group}\n"));

    private sealed record Shell(int ProcessId, FileStream Pipe);
}
