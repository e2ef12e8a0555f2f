using System.ComponentModel;

namespace Mirror.Node.Processes;

/// <summary>
/// Finds a program as exec would, and spawns it in a session of its own under <c>setpriv --pdeathsig</c>, so that it dies with the guard. Finding comes first because setpriv would report a missing
/// program only in the app's log.
/// </summary>
internal static class ProgramStart
{
    private const string DefaultPath = "/usr/local/bin:/usr/bin:/bin";
    private static readonly string[] s_setprivPlaces = ["/usr/bin/setpriv", "/bin/setpriv"];

    /// <exception cref="AppStartException">Says what is missing.</exception>
    /// <exception cref="Win32Exception">The kernel refused.</exception>
    public static int Spawn(GuardedProgram program)
    {
        if (program.Command.Count == 0)
        {
            throw new AppStartException("its command is empty");
        }

        if (program.Command.Concat(program.Environment.Select(pair => pair.Key + pair.Value)).Any(text => text.Contains('\0')))
        {
            throw new AppStartException("its command or environment has a zero byte, which no program can be given");
        }

        if (!Directory.Exists(program.WorkingDirectory))
        {
            throw new AppStartException($"its working directory {program.WorkingDirectory} does not exist");
        }

        CheckLog(program.LogPath);
        var found = Find(program);
        var setpriv = s_setprivPlaces.FirstOrDefault(PosixProcess.MayExecute)
            ?? throw new AppStartException("setpriv, which ties an app's life to the guard's, is not in /usr/bin; install util-linux");
        return PosixProcess.Spawn(new(
            setpriv, ["--pdeathsig", "KILL", "--", found, .. program.Command.Skip(1)], program.Environment, program.WorkingDirectory, null, program.LogPath));
    }

    private static void CheckLog(string path)
    {
        try
        {
            File.Open(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite).Dispose();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new AppStartException($"its log {path} cannot be written: {failure.Message}");
        }
    }

    private static string Find(GuardedProgram program)
    {
        var name = program.Command[0];
        if (name.Contains('/'))
        {
            var path = Path.Combine(program.WorkingDirectory, name);
            return IsProgram(path) ? path : throw new AppStartException($"{path} {(File.Exists(path) ? "is not executable" : "does not exist")}");
        }

        var places = program.Environment.GetValueOrDefault("PATH", DefaultPath);
        return places.Split(':', StringSplitOptions.RemoveEmptyEntries).Select(place => Path.Combine(place, name)).FirstOrDefault(IsProgram)
            ?? throw new AppStartException($"no program '{name}' in {places}");
    }

    private static bool IsProgram(string path) => File.Exists(path) && PosixProcess.MayExecute(path);
}
