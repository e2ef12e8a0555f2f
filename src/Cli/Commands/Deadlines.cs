namespace Mirror.Cli.Commands;

/// <summary>How long a command waits for an answer.</summary>
internal static class Deadlines
{
    public static DateTime Soon() => In(TimeSpan.FromSeconds(10));

    public static DateTime In(TimeSpan within) => (TimeProvider.System.GetUtcNow() + within).UtcDateTime;
}
