using Xunit;

namespace Mirror.Testing;

/// <summary>A test that needs file systems of its own (a full one, a read-only one). Skipped, with the reason, where none may be mounted.</summary>
public sealed class MountFactAttribute : FactAttribute
{
    private static readonly Lazy<string?> obstacle = new(FindObstacle);

    public MountFactAttribute() => Skip = obstacle.Value;

    private static string? FindObstacle()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return "Needs root, to mount.";
        }

        try
        {
            Shell.Run("unshare -m mount -t tmpfs -o size=64k none /mnt");
            return null;
        }
        catch (InvalidOperationException refused)
        {
            return $"Nothing may be mounted here: {refused.Message}";
        }
    }
}
