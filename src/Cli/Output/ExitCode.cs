namespace Mirror.Cli.Output;

/// <summary>What a command's exit code says. Part of each command's help; scripts rely on it.</summary>
internal static class ExitCode
{
    public const int Ok = 0;

    /// <summary>The command was understood and could not be done, or its outcome is unknown.</summary>
    public const int Failed = 1;

    /// <summary>The command line made no sense.</summary>
    public const int Usage = 2;

    /// <summary>The configuration is faulty; all faults were listed.</summary>
    public const int Configuration = 3;

    /// <summary>No process of the cluster answered.</summary>
    public const int Unreachable = 4;

    /// <summary>It was done, and what was looked at is not in order (verify, diff, doctor).</summary>
    public const int Findings = 5;
}
