using System.Globalization;

namespace Mirror.Node.Processes;

/// <summary>An app and everything it started, from the guard's side: one process group, which is gone when no member of it lives.</summary>
internal sealed class ProcessGroup(int leader, TimeSpan grace, string site)
{
    private int? _exitCode;
    private TimeSpan? _killAt;
    private bool _killed;

    public int Leader => leader;

    /// <summary>Whose lease it may not outlive; empty for an app that hangs on none.</summary>
    public string Site => site;

    /// <summary>Exit code of the leader; meaningful once the group is gone.</summary>
    public int ExitCode => _exitCode ?? 128 + PosixProcess.SigKill;

    /// <summary>Being stopped, by request or because its leader has ended: someone must look again soon.</summary>
    public bool IsEnding => _killAt is not null;

    /// <summary>Time until SIGKILL is due; null when it is not being stopped, or has been sent already.</summary>
    public TimeSpan? KillIn(TimeSpan now) => _killAt is { } at && !_killed ? at - now : null;

    /// <summary>Sends SIGTERM, and SIGKILL after the shorter of its own grace and <paramref name="within"/>. A later, shorter limit counts.</summary>
    public void Stop(TimeSpan now, TimeSpan within)
    {
        if (_killAt is null)
        {
            _ = PosixProcess.SignalGroup(leader, PosixProcess.SigTerm);
        }

        var at = now + (within < grace ? within : grace);
        _killAt = _killAt is { } before && before < at ? before : at;
    }

    /// <summary>Reaps, and kills what is overdue.</summary>
    /// <returns>True when no member is left.</returns>
    public bool IsGone(TimeSpan now)
    {
        _exitCode ??= PosixProcess.TryReap(leader);
        if (_exitCode is not null)
        {
            if (!HasLivingMember())
            {
                return true;
            }

            // The leader ended by itself and left children: nobody supervises them any more, and they may hold the port.
            if (_killAt is null)
            {
                Stop(now, grace);
            }
        }

        if (!_killed && _killAt <= now)
        {
            _killed = true;
            _ = PosixProcess.SignalGroup(leader, PosixProcess.SigKill);
        }

        return false;
    }

    /// <summary>A dead member whose parent never reaps it stays in the group forever, so signalling alone does not tell; its state in /proc does.</summary>
    private bool HasLivingMember()
    {
        if (!PosixProcess.SignalGroup(leader, 0))
        {
            return false;
        }

        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (char.IsAsciiDigit(directory[^1]) && ReadStat(directory) is { } stat && IsLivingMember(stat))
            {
                return true;
            }
        }

        return false;
    }

    private static string? ReadStat(string directory)
    {
        try
        {
            return File.ReadAllText(directory + "/stat");
        }
        catch (IOException)
        {
            return null; // Ended since the directory was listed.
        }
    }

    private bool IsLivingMember(string stat)
    {
        // "pid (name) state parent group …": the name may hold anything, a closing bracket too.
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ', 4);
        return fields[0] is not ("Z" or "X") && int.Parse(fields[2], CultureInfo.InvariantCulture) == leader;
    }
}
